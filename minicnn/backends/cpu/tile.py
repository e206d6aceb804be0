"""The tile: a few rows times a few vectors of outputs, kept in registers while the products are added up.

All convolutions and dense layers spend their time in these few instructions, so they are written as LLVM's: a compiler
given loops would keep the sums in memory. Each step loads one row of b (a few vectors) and one number of a for each of
the tile's rows, and adds ROWS × VECTORS products of whole vectors.
"""

from __future__ import annotations

from typing import Any

from .runtime.numba_internals import cgutils, cpu_features, intrinsic, ir, overload, populate_array, types

_features = cpu_features()

# ROWS · VECTORS sums and one row of b have to fit into the CPU's vector registers, 32 or 16 of them; with AVX-512 the
# ROWS numbers of a too, for LLVM loads them all before it multiplies, and what does not fit goes through memory
if "+avx512f" in _features:
    VECTOR_BYTES, VECTORS, ROWS = 64, 2, 8
elif "+avx" in _features:
    VECTOR_BYTES, VECTORS, ROWS = 32, 2, 6
elif "+neon" in _features:
    VECTOR_BYTES, VECTORS, ROWS = 16, 4, 6
else:
    VECTOR_BYTES, VECTORS, ROWS = 16, 2, 6


def width(itemsize: int) -> int:
    """How many columns a tile has: 16 float32 and 8 float64 on a CPU with AVX2."""
    return VECTORS * VECTOR_BYTES // itemsize


@overload(width, inline="always")
def _width(itemsize):
    columns = VECTORS * VECTOR_BYTES
    return lambda itemsize: columns // itemsize


def _scratch(typingctx, like):
    """As many numbers as a tile has, of the dtype of `like`, not filled: on the stack, until its caller returns.

    To ask for memory takes as long as a small product.
    """
    kind = types.Array(like.dtype, 1, "C")
    size = like.dtype.bitwidth // 8
    count = ROWS * VECTORS * VECTOR_BYTES // size

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array, index = context.make_array(kind)(context, builder), ir.IntType(64)
        data = cgutils.alloca_once(builder, context.get_value_type(like.dtype), size=count)
        data.align = VECTOR_BYTES
        populate_array(
            array, data=data, shape=[index(count)], strides=[index(size)], itemsize=index(size), meminfo=None
        )
        return array._getvalue()

    return kind(like), codegen


scratch: Any = intrinsic(_scratch)


def _keep_rolled(module: Any, branch: Any) -> None:
    """Forbid LLVM to unroll the loop that this branch closes: with two steps at once the sums would not fit into the
    registers, and every product would wait for memory, at less than half the speed."""
    identity = module.add_metadata([module.add_metadata(["llvm.loop.unroll.disable"])])
    identity.operands = (identity, *identity.operands)  # LLVM's form: a loop's metadata begins with itself
    branch.set_metadata("llvm.loop", identity)


def make_tile(row_count: int, vector_count: int) -> Any:
    """A function for kernels that computes a tile of this size."""

    def _tile(typingctx, a, rows, first_row, cols, first_col, steps, b, b_at, b_stride, start, start_at, start_stride,
              floor, out, out_at, out_stride):  # fmt: skip
        """out[r, f] = max(start[r, f] + Σ_k a[rows[r] + cols[k]] · b[k, f], floor) for its rows and columns.

        All arrays are flat and begin somewhere: b[k, f] = b[b_at + k · b_stride + f], and so on. NaN stays NaN.
        """
        signature = types.void(a, rows, first_row, cols, first_col, steps, b, b_at, b_stride, start, start_at,
                               start_stride, floor, out, out_at, out_stride)  # fmt: skip
        lanes = VECTOR_BYTES * 8 // a.dtype.bitwidth

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            scalar = context.get_value_type(a.dtype)
            vector = ir.VectorType(scalar, lanes)
            index = ir.IntType(64)
            align = a.dtype.bitwidth // 8
            fma = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.v{lanes}f{a.dtype.bitwidth}"
            )

            def place(argument: int) -> Any:
                """The address of an array's element, the argument after it saying which."""
                data = context.make_array(signature.args[argument])(context, builder, args[argument]).data
                return builder.gep(data, [args[argument + 1]])

            def vectors(pointer: Any, row: Any, stride: Any) -> list[Any]:
                """The addresses of the vectors of one row."""
                first = builder.gep(pointer, [builder.mul(row, stride)])
                places = [builder.gep(first, [index(v * lanes)]) for v in range(vector_count)]
                return [builder.bitcast(place, vector.as_pointer()) for place in places]

            def broadcast(value: Any) -> Any:
                """A vector that holds one number in all its lanes."""
                empty = ir.Constant(vector, ir.Undefined)
                zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
                return builder.shuffle_vector(builder.insert_element(empty, value, ir.IntType(32)(0)), empty, zeros)

            a_data = context.make_array(signature.args[0])(context, builder, args[0]).data
            rows_at, cols_at, b_at, start_at, out_at = (place(argument) for argument in (1, 3, 6, 9, 13))
            steps, b_stride, start_stride, floor, out_stride = (args[argument] for argument in (5, 8, 11, 12, 15))

            a_rows = [builder.gep(a_data, [builder.load(builder.gep(rows_at, [index(r)]))]) for r in range(row_count)]
            starts = [pointer for r in range(row_count) for pointer in vectors(start_at, index(r), start_stride)]
            starts = [builder.load(pointer, align=align) for pointer in starts]

            before, loop, after = builder.block, builder.append_basic_block("step"), builder.append_basic_block("done")
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(index)
            k.add_incoming(index(0), before)
            sums = [builder.phi(vector) for _ in starts]
            col = builder.load(builder.gep(cols_at, [k]))
            b_row = [builder.load(pointer, align=align) for pointer in vectors(b_at, k, b_stride)]
            totals = []
            for r in range(row_count):
                factor = broadcast(builder.load(builder.gep(a_rows[r], [col])))
                totals += [
                    builder.call(fma, [factor, b_row[v], sums[r * vector_count + v]]) for v in range(vector_count)
                ]
            for phi, value, total in zip(sums, starts, totals, strict=True):
                phi.add_incoming(value, before)
                phi.add_incoming(total, loop)
            following = builder.add(k, index(1))
            k.add_incoming(following, loop)
            _keep_rolled(builder.module, builder.cbranch(builder.icmp_signed("<", following, steps), loop, after))

            builder.position_at_end(after)
            floors = broadcast(floor)
            outs = [pointer for r in range(row_count) for pointer in vectors(out_at, index(r), out_stride)]
            for total, pointer in zip(totals, outs, strict=True):
                low = builder.fcmp_ordered("<", total, floors)  # false for NaN
                builder.store(builder.select(low, floors, total), pointer, align=align)
            return context.get_dummy_value()

        return signature, codegen

    return intrinsic(_tile)


tile = make_tile(ROWS, VECTORS)
low_tile, lower_tile = make_tile(ROWS - 1, VECTORS), make_tile(ROWS - 2, VECTORS)
"""For a few rows, some of which whole tiles would compute more than once."""
narrow_tile = make_tile(ROWS, VECTORS // 2)
"""Half as wide: for panels whose other half would be empty."""
row_tile = make_tile(1, 2 * VECTORS)
"""One row, twice as wide: two panels."""
