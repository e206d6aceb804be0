"""Winograd's transforms: their matrices, by the method of Cook and Toom, and each as one function for kernels.

A transform is L · X · Rᵀ with small constant matrices L and R; the elements of X are vectors of channels. A loop over
the channels would be compiled to one pass for each of the many terms. Written in LLVM's instructions, a tile is loaded
once, transformed in registers, and stored once.

To read before: Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks" (2016), section 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..runtime.numba_internals import intrinsic, ir, types
from ..runtime.vectors import VECTOR_BYTES

OUTPUTS = 4
"""Outputs of a tile along an axis on which the kernel is longer than 1."""

Matrices = list[tuple[np.ndarray, np.ndarray]]


def cook_toom(taps: int, points: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Aᵀ, G and Bᵀ for 4 outputs of a kernel of so many taps, from all points of evaluation but the last, infinity.

    Aᵀ and G evaluate polynomials at the points; Bᵀ is the interpolation back to coefficients, transposed, with G's
    rows divided by what would otherwise be its denominators.
    """
    n = len(points) + 1
    others = [np.poly1d([p for j, p in enumerate(points) if j != i], r=True) for i in range(n - 1)]
    scale = np.array([float(other(p)) for p, other in zip(points, others, strict=True)])
    A_T, G, B_T = np.zeros((OUTPUTS, n)), np.zeros((n, taps)), np.zeros((n, n))
    A_T[:, :-1] = np.vander(points, OUTPUTS, increasing=True).T
    G[:-1] = np.vander(points, taps, increasing=True) / scale[:, None]
    A_T[-1, -1] = G[-1, -1] = 1
    for row, other in zip(B_T, others, strict=False):
        row[:-1] = other.coefficients[::-1]
    B_T[-1] = np.poly1d(points, r=True).coefficients[::-1]
    return A_T, G, B_T


def make_transform(forms: Matrices, add: bool = False) -> Any:
    """A function for kernels: target = L · source · Rᵀ; with `add`, target += that.

    Its first argument says which of the `forms` (L, R) it is. With L (m, h) and R (n, w), source is h x w vectors and
    target m x n. Both are flat and begin somewhere: vector (i, j) of the source begins at
    source[source_at + i · source_row + j · source_col], etc.
    """

    def transform(typingctx, form, source, source_at, source_row, source_col, target, target_at, target_row,
                  target_col):  # fmt: skip
        signature = types.void(
            types.intp, source, source_at, source_row, source_col, target, target_at, target_row, target_col
        )
        itemsize = source.dtype.bitwidth // 8
        lanes = VECTOR_BYTES // itemsize

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector = ir.VectorType(context.get_value_type(source.dtype), lanes)

            def addresses(argument: int, rows: int, cols: int) -> list[list[Any]]:
                """Of the rows x cols vectors of the array that is this argument."""
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

            done = builder.append_basic_block("done")
            switch = builder.switch(args[0], done)
            for number, (left, right) in enumerate(forms):
                block = builder.append_basic_block(f"form{number}")
                switch.add_case(number, block)
                builder.position_at_end(block)
                x = [[builder.load(place, align=itemsize) for place in row]
                     for row in addresses(1, left.shape[1], right.shape[1])]  # fmt: skip
                columns = [[combine(weights, list(column)) for column in zip(*x, strict=True)] for weights in left]
                for row, places in zip(columns, addresses(5, len(left), len(right)), strict=True):
                    for weights, place in zip(right, places, strict=True):
                        value = combine(weights, row)  # (L · X) · Rᵀ
                        if add:
                            value = builder.fadd(builder.load(place, align=itemsize), value)
                        builder.store(value, place, align=itemsize)
                builder.branch(done)
            builder.position_at_end(done)
            return context.get_dummy_value()

        return signature, codegen

    return intrinsic(transform)


_three, _two, _one = cook_toom(3, [0, 1, -1, 2, -2]), cook_toom(2, [0, 1, -1, 2]), [np.eye(1)] * 3
FORMS = {(3, 3): (_three, _three), (1, 3): (_one, _three), (1, 2): (_one, _two)}  # by the kernel's size

_A_T, _G, _B_T = ([(left[i], right[i]) for left, right in FORMS.values()] for i in range(3))


def _adjoint(matrices: Matrices) -> Matrices:
    return [(left.T, right.T) for left, right in matrices]


input_transform, input_adjoint = make_transform(_B_T), make_transform(_adjoint(_B_T), add=True)
"""Bᵀ d B of a tile's inputs d, and the adjoint, d += B dV Bᵀ."""
kernel_transform, kernel_adjoint = make_transform(_G), make_transform(_adjoint(_G))
"""G k Gᵀ of a kernel k, and the adjoint, Gᵀ dU G."""
output_transform, output_adjoint = make_transform(_A_T), make_transform(_adjoint(_A_T))
"""Aᵀ M A, a tile's outputs, and the adjoint, A dz Aᵀ."""
