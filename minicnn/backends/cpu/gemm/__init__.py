"""GEMM, the general matrix multiplication: every convolution and dense layer spends its time here.

The structure is that of Goto & van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008), in the words
of BLIS (Van Zee & van de Geijn, 2015). C = A · B is computed in tiles of MR x NR outputs, which stay in registers while
the microkernel runs over K:

                        NR                                  NR
              ┌────────┬──┬─────┐                        ┌──────┐
              │        │  │     │                     K  │ b[k] │  one row a step: a few vectors
      K       │   B    │  │     │        a step          └──────┘
    ┌─────┐   └────────┴──┴─────┘       ────────>        ┌──────┐
 MR ├─────┤   ┌────────┬──┬─────┐    ┌─┐               │ MR x │  += a[r, k] · b[k], for each row r:
    │  A  │   │   C    │▒▒│     │ MR │a│  a number     │  NR  │     one number times a row of vectors
    └─────┘   └────────┴──┴─────┘    └─┘  for each row  └──────┘

microkernel    one tile of outputs, in LLVM's instructions
gemm           the loops around the microkernel

Nothing is packed: matrices as small as a convolution's stay in the cache as they are. A is not even stored: see `gemm`.
"""
