"""The two algorithms of a convolution; both spend their time in `gemm/`.

implicit_gemm    any convolution, as one matrix product whose left factor is never built
winograd         kernels of 3 x 3, 1 x 3 and 1 x 2 on batches: fewer multiplications
transforms       Winograd's transforms: their matrices, and their code
"""
