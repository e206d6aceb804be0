"""The CPU backend: the textbook's operations, compiled by Numba where that pays.

    conv, grouped_conv, dense, pooling, normalization, dropout, activations, curves, losses, optimizers
                     the operations, named as in the textbook
    inference        a whole network as one chain of stages
    executor         how a forward runs, in training and in inference: stages, depth first
    convolution/     the two algorithms: implicit GEMM, and Winograd's
    gemm/            matrix products: the microkernel, and the loops around it
    runtime/         compiling, the kernel cache, threads, memory, vectors

A convolution is read from conv.conv2d through executor, convolution/ and gemm/, and never comes back.
"""

from ..operations import assemble

assemble(__name__)
