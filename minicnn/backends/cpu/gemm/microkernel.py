"""The microkernel: MR x NR outputs of a matrix product, kept in registers while the products are added up.

Each of K steps loads one row of B (VECTORS vectors) and one number of A for each of MR rows, and adds MR · VECTORS
products of whole vectors. It is written in LLVM's instructions: given loops, the compiler keeps the sums in memory.
The package's docstring has the picture. To read before: Goto & van de Geijn (2008), section 4; BLIS's KernelsHowTo.
"""

from __future__ import annotations

from typing import Any

from ..runtime.numba_internals import cgutils, cpu_features, intrinsic, ir, types
from ..runtime.vectors import VECTOR_BYTES, broadcast

# MR · VECTORS sums and one row of B have to fit into the CPU's vector registers, 32 or 16 of them. With AVX-512, the MR
# numbers of A do too: LLVM loads them all before it multiplies, and what does not fit goes through memory.
VECTORS = 4 if "+neon" in cpu_features() else 2
MR = 8 if VECTOR_BYTES == 64 else 6
NR_BYTES = VECTORS * VECTOR_BYTES
"""Bytes of a row of a tile: NR is 32 in float32 and 16 in float64 with AVX-512, half as many with AVX2."""


@intrinsic
def microkernel(typingctx, half, a, a_at, rows, row, cols, steps, b, b_at, b_step, start, start_at, start_step, floor,
                out, out_at, out_step):  # fmt: skip
    """out[r, f] = max(start[r, f] + Σ_k a[a_at + rows[row + r] + cols[k]] · b[k, f], floor) for MR rows, NR columns.

    All arrays are flat and begin somewhere: b[k, f] = b[b_at + k · b_step + f], and so on. NaN stays NaN. With `half`,
    NR / 2 columns: the other half of the vectors would be computed for nothing.
    """
    signature = types.void(half, a, a_at, rows, row, cols, steps, b, b_at, b_step, start, start_at, start_step, floor,
                           out, out_at, out_step)  # fmt: skip

    lanes, align = VECTOR_BYTES * 8 // a.dtype.bitwidth, a.dtype.bitwidth // 8

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector, index = ir.VectorType(context.get_value_type(a.dtype), lanes), ir.IntType(64)
        fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{lanes}f{a.dtype.bitwidth}"
        )

        def address(argument: int) -> Any:
            """Of an array's element; the argument after it is the element's index."""
            data = context.make_array(signature.args[argument])(context, builder, args[argument]).data
            return builder.gep(data, [args[argument + 1]])

        def row_of_vectors(pointer: Any, row: Any, step: Any, vectors: int) -> list[Any]:
            """The addresses of the vectors of one row."""
            first = builder.gep(pointer, [builder.mul(row, step)])
            places = [builder.gep(first, [index(v * lanes)]) for v in range(vectors)]
            return [builder.bitcast(place, vector.as_pointer()) for place in places]

        def tile(vectors: int) -> None:
            """MR rows of so many vectors."""
            starts = [pointer for r in range(MR) for pointer in row_of_vectors(start_at, index(r), start_step, vectors)]
            starts = [builder.load(pointer, align=align) for pointer in starts]
            before, loop, after = builder.block, builder.append_basic_block("step"), builder.append_basic_block("done")
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(index)
            sums = [builder.phi(vector) for _ in starts]
            col = builder.load(builder.gep(cols_at, [k]))
            b_row = [builder.load(pointer, align=align) for pointer in row_of_vectors(b_at, k, b_step, vectors)]
            totals = []
            for r in range(MR):
                factor = broadcast(builder, builder.load(builder.gep(a_rows[r], [col])), lanes)
                totals += [builder.call(fma, [factor, b_row[v], sums[r * vectors + v]]) for v in range(vectors)]
            following = builder.add(k, index(1))
            for phi, value, total in zip([k, *sums], [index(0), *starts], [following, *totals], strict=True):
                phi.add_incoming(value, before)
                phi.add_incoming(total, loop)
            _forbid_unrolling(builder.module, builder.cbranch(builder.icmp_signed("<", following, steps), loop, after))
            builder.position_at_end(after)
            outs = [pointer for r in range(MR) for pointer in row_of_vectors(out_at, index(r), out_step, vectors)]
            for total, pointer in zip(totals, outs, strict=True):
                low = builder.fcmp_ordered("<", total, floors)  # false for NaN
                builder.store(builder.select(low, floors, total), pointer, align=align)

        a_at, rows_at, b_at, start_at, out_at = (address(argument) for argument in (1, 3, 7, 10, 14))
        cols_at = context.make_array(cols)(context, builder, args[5]).data
        steps, b_step, start_step, out_step = args[6], args[9], args[12], args[16]
        a_rows = [builder.gep(a_at, [builder.load(builder.gep(rows_at, [index(r)]))]) for r in range(MR)]
        floors = broadcast(builder, args[13], lanes)
        with builder.if_else(args[0]) as (then, otherwise):
            with then:
                tile(VECTORS // 2)
            with otherwise:
                tile(VECTORS)
        return context.get_dummy_value()

    return signature, codegen


def _forbid_unrolling(module: Any, branch: Any) -> None:
    """Keep the loop that this branch closes rolled: two steps at once need more registers than there are, and the
    microkernel runs at less than half the speed."""
    identity = module.add_metadata([module.add_metadata(["llvm.loop.unroll.disable"])])
    identity.operands = (identity, *identity.operands)  # LLVM's form: a loop's metadata begins with itself
    branch.set_metadata("llvm.loop", identity)
