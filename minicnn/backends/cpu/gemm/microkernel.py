"""The microkernel: MR x NR outputs of a matrix product, kept in registers while the products are added up.

Each of K steps loads one row of B (VECTORS vectors) and one number of A for each of MR rows, and adds MR · VECTORS
products of whole vectors. It is written in LLVM's instructions: given loops, the compiler keeps the sums in memory.
The package's docstring has the picture. To read before: Goto & van de Geijn (2008), section 4; BLIS's KernelsHowTo.
"""

from __future__ import annotations

from typing import Any

from ..runtime.numba_internals import cgutils, cpu_features, intrinsic, ir, overload, populate_array, types
from ..runtime.vectors import VECTOR_BYTES

# MR · VECTORS sums and one row of B have to fit into the CPU's vector registers, 32 or 16 of them. With AVX-512, the MR
# numbers of A do too: LLVM loads them all before it multiplies, and what does not fit goes through memory.
VECTORS = 4 if "+neon" in cpu_features() else 2
MR = 8 if VECTOR_BYTES == 64 else 6


def NR(itemsize: int) -> int:
    """Columns of a tile: 32 in float32 and 16 in float64 with AVX-512, half as many with AVX2."""
    return VECTORS * VECTOR_BYTES // itemsize


@overload(NR, inline="always")
def _NR(itemsize):
    columns = VECTORS * VECTOR_BYTES
    return lambda itemsize: columns // itemsize


@intrinsic
def tile_buffer(typingctx, like):
    """An uninitialised flat array of MR · NR numbers of the dtype of `like`, on the stack until its caller returns.

    Allocating memory takes as long as a small product.
    """
    kind = types.Array(like.dtype, 1, "C")
    size = like.dtype.bitwidth // 8
    count = MR * VECTORS * VECTOR_BYTES // size

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array, index = context.make_array(kind)(context, builder), ir.IntType(64)
        data = cgutils.alloca_once(builder, context.get_value_type(like.dtype), size=count)
        data.align = VECTOR_BYTES
        populate_array(
            array, data=data, shape=[index(count)], strides=[index(size)], itemsize=index(size), meminfo=None
        )
        return array._getvalue()

    return kind(like), codegen


def _forbid_unrolling(module: Any, branch: Any) -> None:
    """Keep the loop that this branch closes rolled: two steps at once need more registers than there are, and the
    microkernel runs at less than half the speed."""
    identity = module.add_metadata([module.add_metadata(["llvm.loop.unroll.disable"])])
    identity.operands = (identity, *identity.operands)  # LLVM's form: a loop's metadata begins with itself
    branch.set_metadata("llvm.loop", identity)


def make_microkernel(vectors: int) -> Any:
    """A function for kernels that computes MR rows of so many vectors."""

    def microkernel(typingctx, a, a_at, rows, first_row, cols, first_col, steps, b, b_at, b_stride, start, start_at,
                    start_stride, floor, out, out_at, out_stride):  # fmt: skip
        """out[r, f] = max(start[r, f] + Σ_k a[a_at + rows[r] + cols[k]] · b[k, f], floor) for its rows and columns.

        All arrays are flat and begin somewhere: b[k, f] = b[b_at + k · b_stride + f], and so on. NaN stays NaN.
        """
        signature = types.void(a, a_at, rows, first_row, cols, first_col, steps, b, b_at, b_stride, start, start_at,
                               start_stride, floor, out, out_at, out_stride)  # fmt: skip
        lanes = VECTOR_BYTES * 8 // a.dtype.bitwidth

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            scalar = context.get_value_type(a.dtype)
            vector, index, align = ir.VectorType(scalar, lanes), ir.IntType(64), a.dtype.bitwidth // 8
            fma = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{lanes}f{a.dtype.bitwidth}"
            )

            def address(argument: int) -> Any:
                """Of an array's element; the argument after it is the element's index."""
                data = context.make_array(signature.args[argument])(context, builder, args[argument]).data
                return builder.gep(data, [args[argument + 1]])

            def row_of_vectors(pointer: Any, row: Any, stride: Any) -> list[Any]:
                """The addresses of the vectors of one row."""
                first = builder.gep(pointer, [builder.mul(row, stride)])
                places = [builder.gep(first, [index(v * lanes)]) for v in range(vectors)]
                return [builder.bitcast(place, vector.as_pointer()) for place in places]

            def broadcast(value: Any) -> Any:
                """A vector that holds one number in all its lanes."""
                empty = ir.Constant(vector, ir.Undefined)
                zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
                return builder.shuffle_vector(builder.insert_element(empty, value, ir.IntType(32)(0)), empty, zeros)

            a_at, rows_at, cols_at, b_at, start_at, out_at = (address(argument) for argument in (0, 2, 4, 7, 10, 14))
            steps, b_stride, start_stride, floor, out_stride = (args[argument] for argument in (6, 9, 12, 13, 16))

            a_rows = [builder.gep(a_at, [builder.load(builder.gep(rows_at, [index(r)]))]) for r in range(MR)]
            starts = [pointer for r in range(MR) for pointer in row_of_vectors(start_at, index(r), start_stride)]
            starts = [builder.load(pointer, align=align) for pointer in starts]

            before, loop, after = builder.block, builder.append_basic_block("step"), builder.append_basic_block("done")
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(index)
            sums = [builder.phi(vector) for _ in starts]
            col = builder.load(builder.gep(cols_at, [k]))
            b_row = [builder.load(pointer, align=align) for pointer in row_of_vectors(b_at, k, b_stride)]
            totals = []
            for r in range(MR):
                factor = broadcast(builder.load(builder.gep(a_rows[r], [col])))
                totals += [builder.call(fma, [factor, b_row[v], sums[r * vectors + v]]) for v in range(vectors)]
            following = builder.add(k, index(1))
            for phi, value, total in zip([k, *sums], [index(0), *starts], [following, *totals], strict=True):
                phi.add_incoming(value, before)
                phi.add_incoming(total, loop)
            _forbid_unrolling(builder.module, builder.cbranch(builder.icmp_signed("<", following, steps), loop, after))

            builder.position_at_end(after)
            floors = broadcast(floor)
            outs = [pointer for r in range(MR) for pointer in row_of_vectors(out_at, index(r), out_stride)]
            for total, pointer in zip(totals, outs, strict=True):
                low = builder.fcmp_ordered("<", total, floors)  # false for NaN
                builder.store(builder.select(low, floors, total), pointer, align=align)
            return context.get_dummy_value()

        return signature, codegen

    return intrinsic(microkernel)


microkernel = make_microkernel(VECTORS)
half_microkernel = make_microkernel(VECTORS // 2)
"""For micropanels with no more than NR / 2 columns: the other half of the vectors would be computed for nothing."""
