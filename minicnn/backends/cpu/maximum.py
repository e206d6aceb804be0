"""The largest values of a window, a vector of channels at a time, kept in a register while the window is searched.

A loop over the channels of one cell would be too short for what a compiler puts before it, so it is written as LLVM's
instructions, like the tile.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .tile import VECTOR_BYTES


def _largest(typingctx, x, x_at, rows, row_step, cols, col_step, y, y_at, channels):
    """y[y_at + c] = max_ij x[x_at + i · row_step + j · col_step + c], i < rows, j < cols, c < channels; NaN wins."""
    signature = types.void(x, x_at, rows, row_step, cols, col_step, y, y_at, channels)
    itemsize = x.dtype.bitwidth // 8

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, x_at, rows, row_step, cols, col_step, _, y_at, channels = args
        source, target = (context.make_array(signature.args[i])(context, builder, args[i]).data for i in (0, 6))
        scalar = context.get_value_type(x.dtype)
        lanes = VECTOR_BYTES // itemsize

        def look(first: Any, last: Any, kind: Any, step: int) -> None:
            """The channels from first to last, each a number or a vector of them."""
            best = cgutils.alloca_once(builder, kind)

            def load(at: Any) -> Any:
                place = builder.bitcast(builder.gep(source, [at]), kind.as_pointer())
                return builder.load(place, align=itemsize)

            with cgutils.for_range_slice(builder, first, last, first.type(step), inc=True) as (c, _):
                window = builder.add(x_at, c)
                builder.store(load(window), best)
                with cgutils.for_range(builder, rows) as row:
                    start = builder.add(window, builder.mul(row.index, row_step))
                    with cgutils.for_range(builder, cols) as col:
                        value = load(builder.add(start, builder.mul(col.index, col_step)))
                        top = builder.load(best)
                        larger = builder.fcmp_unordered(">", value, top)  # true for NaN on either side
                        larger = builder.and_(larger, builder.fcmp_ordered("ord", top, top))
                        builder.store(builder.select(larger, value, top), best)
                place = builder.bitcast(builder.gep(target, [builder.add(y_at, c)]), kind.as_pointer())
                builder.store(builder.load(best), place, align=itemsize)

        whole = builder.sub(channels, builder.srem(channels, channels.type(lanes)))
        look(channels.type(0), whole, ir.VectorType(scalar, lanes), lanes)
        look(whole, channels, scalar, 1)
        return context.get_dummy_value()

    return signature, codegen


largest: Any = intrinsic(_largest)
