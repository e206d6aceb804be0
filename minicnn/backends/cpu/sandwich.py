"""The sandwich L · X · Lᵀ of small matrices whose elements are vectors: Winograd's transforms, kept in registers.

A loop over the channels would be compiled to one pass for each of the many terms; written as LLVM's instructions, a
tile is loaded once, transformed, and stored once, a whole vector of channels at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .tile import VECTOR_BYTES


def sandwich(matrix: np.ndarray, add: bool = False) -> Any:
    """A function for kernels: target = L · source · Lᵀ for the constant L (m, n), or with `add` target += that.

    source is n x n vectors, target m x m. Both are flat and begin somewhere: the vector (i, j) of the source starts at
    source[source_at + i · source_row + j · source_col], and so on.
    """

    def _sandwich(typingctx, source, source_at, source_row, source_col, target, target_at, target_row, target_col):
        signature = types.void(
            source, source_at, source_row, source_col, target, target_at, target_row, target_col
        )  # fmt: skip
        itemsize = source.dtype.bitwidth // 8
        lanes = VECTOR_BYTES // itemsize

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector = ir.VectorType(context.get_value_type(source.dtype), lanes)

            def places(argument: int, size: int) -> list[list[Any]]:
                """The addresses of the size x size vectors of an array that is this argument."""
                data = context.make_array(signature.args[argument])(context, builder, args[argument]).data
                first, row, col = args[argument + 1 : argument + 4]
                found: list[list[Any]] = []
                for i in range(size):
                    at = builder.add(first, builder.mul(row, ir.Constant(row.type, i)))
                    found.append([])
                    for _ in range(size):
                        found[-1].append(builder.bitcast(builder.gep(data, [at]), vector.as_pointer()))
                        at = builder.add(at, col)
                return found

            def combine(weights: np.ndarray, terms: list[Any]) -> Any:
                """Σ weight · term, without the products by 0 and 1."""
                total = None
                for weight, term in zip(weights, terms, strict=True):
                    if weight == 0:
                        continue
                    constant = ir.Constant(vector, [float(abs(weight))] * lanes)
                    part = term if abs(weight) == 1 else builder.fmul(term, constant, flags=("contract",))
                    if total is None:
                        total = part if weight > 0 else builder.fneg(part)
                    else:
                        total = (builder.fadd if weight > 0 else builder.fsub)(total, part, flags=("contract",))
                return total

            m, n = matrix.shape
            x = [[builder.load(place, align=itemsize) for place in row] for row in places(0, n)]
            columns = [[combine(weights, [x[i][j] for i in range(n)]) for j in range(n)] for weights in matrix]  # L · X
            for row, outs in zip(columns, places(4, m), strict=True):
                for weights, place in zip(matrix, outs, strict=True):
                    value = combine(weights, row)  # (L · X) · Lᵀ
                    if add:
                        value = builder.fadd(builder.load(place, align=itemsize), value)
                    builder.store(value, place, align=itemsize)
            return context.get_dummy_value()

        return signature, codegen

    return intrinsic(_sandwich)
