"""The CPU backend: the textbook's operations, compiled by Numba where that pays.

The files, each line built on the lines below it:

    conv, dense, pooling, normalization, dropout, activations, optimizers           the operations
    inference, program, stages                                                      a whole network in inference
    direct / winograd, tiling, transforms, blank                                    the two ways of a convolution
    products, tile, cells, sandwich                                                 sums kept in registers
    runtime/                                                                        compiling, threads, memory
"""

from ..operations import assemble

assemble(__name__)
