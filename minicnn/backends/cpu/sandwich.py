"""The sandwich L · X · Rᵀ of small matrices whose elements are vectors: Winograd's transforms, kept in registers.

A loop over the channels would be compiled to one pass for each of the many terms; written as LLVM's instructions, a
tile is loaded once, transformed, and stored once, a whole vector of channels at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .runtime.numba_internals import intrinsic, ir, types
from .tile import VECTOR_BYTES


def sandwich(forms: list[tuple[np.ndarray, np.ndarray]], add: bool = False) -> Any:
    """A function for kernels: target = L · source · Rᵀ for constant L (m, h) and R (n, w); with `add` target += that.

    Its first argument says which of the `forms` (L, R) it is. source is h x w vectors, target m x n. Both are flat and
    begin somewhere: the vector (i, j) of the source starts at source[source_at + i · source_row + j · source_col], etc.
    """

    def _sandwich(typingctx, form, source, source_at, source_row, source_col, target, target_at, target_row,
                  target_col):  # fmt: skip
        signature = types.void(
            types.intp, source, source_at, source_row, source_col, target, target_at, target_row, target_col
        )
        itemsize = source.dtype.bitwidth // 8
        lanes = VECTOR_BYTES // itemsize

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector = ir.VectorType(context.get_value_type(source.dtype), lanes)

            def places(argument: int, rows: int, cols: int) -> list[list[Any]]:
                """The addresses of the rows x cols vectors of an array that is this argument."""
                data = context.make_array(signature.args[argument])(context, builder, args[argument]).data
                first, row, col = args[argument + 1 : argument + 4]
                found: list[list[Any]] = []
                for i in range(rows):
                    at = builder.add(first, builder.mul(row, ir.Constant(row.type, i)))
                    found.append([])
                    for _ in range(cols):
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

            def transform(left: np.ndarray, right: np.ndarray) -> None:
                rows, cols = left.shape[1], right.shape[1]
                x = [[builder.load(place, align=itemsize) for place in row] for row in places(1, rows, cols)]
                columns = [[combine(weights, list(column)) for column in zip(*x, strict=True)] for weights in left]
                for row, outs in zip(columns, places(5, len(left), len(right)), strict=True):
                    for weights, place in zip(right, outs, strict=True):
                        value = combine(weights, row)  # (L · X) · Rᵀ
                        if add:
                            value = builder.fadd(builder.load(place, align=itemsize), value)
                        builder.store(value, place, align=itemsize)

            done = builder.append_basic_block("done")
            switch = builder.switch(args[0], done)
            for number, (left, right) in enumerate(forms):
                block = builder.append_basic_block(f"form{number}")
                switch.add_case(number, block)
                builder.position_at_end(block)
                transform(left, right)
                builder.branch(done)
            builder.position_at_end(done)
            return context.get_dummy_value()

        return signature, codegen

    return intrinsic(_sandwich)
