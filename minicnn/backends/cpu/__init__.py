"""The CPU backend: the textbook's operations, compiled by Numba where that pays.

The files, each line built on the lines below it:

    conv, dense, pooling, normalization, dropout, activations, losses, optimizers   the operations
    inference, program, stages                                                      a whole network in inference
    direct / winograd, tiling, transforms, blank                                    the two ways of a convolution
    products, tile, cells, sandwich                                                 sums kept in registers
    runtime/                                                                        compiling, threads, memory
"""

from ..textbook import owns, read_if_ready, take, to_host
from .activations import activation, activation_backward, general_relu, general_relu_backward
from .conv import conv2d, conv2d_backward
from .dense import dense, dense_backward
from .dropout import dropout, dropout_backward
from .inference import compile_inference
from .losses import (
    accumulate,
    count_correct,
    crossentropy,
    crossentropy_backward,
    mean_squared_error,
    mean_squared_error_backward,
    one_hot,
    softmax_crossentropy,
    softmax_crossentropy_backward,
)
from .normalization import batch_norm, batch_norm_backward
from .optimizers import adam_step, sgd_step
from .pooling import average_pool2d, average_pool2d_backward, max_pool2d, max_pool2d_backward
from .runtime.memory import to_device

__all__ = [
    "accumulate",
    "activation",
    "activation_backward",
    "adam_step",
    "average_pool2d",
    "average_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "compile_inference",
    "conv2d",
    "conv2d_backward",
    "count_correct",
    "crossentropy",
    "crossentropy_backward",
    "dense",
    "dense_backward",
    "dropout",
    "dropout_backward",
    "general_relu",
    "general_relu_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "mean_squared_error",
    "mean_squared_error_backward",
    "one_hot",
    "owns",
    "read_if_ready",
    "sgd_step",
    "softmax_crossentropy",
    "softmax_crossentropy_backward",
    "take",
    "to_device",
    "to_host",
]
