"""The CPU backend: the textbook's operations, compiled by Numba where that pays.

The files, each line built on the lines below it:

    conv, dense, pooling, normalization, dropout, activations, losses, optimizers   the operations
    chain, program, stages                                                          a whole network in inference
    direct / winograd, tiling, transforms, blank                                    the two ways of a convolution
    products, tile, cells, sandwich                                                 sums kept in registers
    memory                                                                          where weights begin
    kernels, calls, atomics, kernel_cache                                           what a kernel is, and its threads
"""

from ..textbook import owns, peek, take, to_host
from .activations import activation, activation_backward, rectify, rectify_backward
from .chain import chain
from .conv import conv2d, conv2d_backward
from .dense import dense, dense_backward
from .dropout import dropout, dropout_backward
from .losses import (
    add_up,
    count_correct,
    crossentropy,
    crossentropy_backward,
    mean_squared_error,
    mean_squared_error_backward,
    one_hot,
    softmax_crossentropy,
    softmax_crossentropy_backward,
)
from .memory import to_device
from .normalization import batch_norm, batch_norm_backward
from .optimizers import adam_step, sgd_step
from .pooling import average_pool2d, average_pool2d_backward, max_pool2d, max_pool2d_backward

__all__ = [
    "activation",
    "activation_backward",
    "adam_step",
    "add_up",
    "average_pool2d",
    "average_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "chain",
    "conv2d",
    "conv2d_backward",
    "count_correct",
    "crossentropy",
    "crossentropy_backward",
    "dense",
    "dense_backward",
    "dropout",
    "dropout_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "mean_squared_error",
    "mean_squared_error_backward",
    "one_hot",
    "owns",
    "peek",
    "rectify",
    "rectify_backward",
    "sgd_step",
    "softmax_crossentropy",
    "softmax_crossentropy_backward",
    "take",
    "to_device",
    "to_host",
]
