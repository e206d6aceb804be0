"""The cells of a pooling window, a vector of channels at a time: the largest or the mean, and what they get back.

A pixel has few channels, so a loop over them is over before what a compiler puts in front of it has paid. Therefore
these are written as LLVM's instructions, like the tile: the best value so far and its name stay in registers.

A window's cells begin at x[x_at + i · row_step + j · col_step], i < rows, j < cols; the name of a cell, its number in
the window, is first_name + i · name_step + j.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .runtime.numba_internals import cgutils, intrinsic, ir, types
from .tile import VECTOR_BYTES

BYTE, INDEX = ir.IntType(8), ir.IntType(32)


class _Pixel:
    """Some channels of a pixel, one or a vector of them, in code that is being generated."""

    def __init__(self, context: Any, builder: Any, signature: Any, args: Any, lanes: int) -> None:
        self.context, self.builder, self.signature, self.args, self.lanes = context, builder, signature, args, lanes

    def of(self, kind: Any) -> Any:
        return kind if self.lanes == 1 else ir.VectorType(kind, self.lanes)

    def all(self, value: Any) -> Any:
        """A value in all lanes."""
        if self.lanes == 1:
            return value
        empty = ir.Constant(self.of(value.type), ir.Undefined)
        zeros = ir.Constant(ir.VectorType(INDEX, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(self.builder.insert_element(empty, value, INDEX(0)), empty, zeros)

    def place(self, argument: int, at: Any) -> Any:
        """The address of an element of the array that is this argument, and of those beside it."""
        array = self.context.make_array(self.signature.args[argument])(self.context, self.builder, self.args[argument])
        place = self.builder.gep(array.data, [at])
        return self.builder.bitcast(place, self.of(array.data.type.pointee).as_pointer())

    def load(self, argument: int, at: Any) -> Any:
        return self.builder.load(self.place(argument, at), align=self._align(argument))

    def store(self, value: Any, argument: int, at: Any) -> None:
        self.builder.store(value, self.place(argument, at), align=self._align(argument))

    def _align(self, argument: int) -> int:
        return self.signature.args[argument].dtype.bitwidth // 8

    @contextmanager
    def cells(self, x_at: Any, rows: Any, row_step: Any, cols: Any, col_step: Any, first_name: Any, name_step: Any
              ) -> Iterator[tuple[Any, Any]]:  # fmt: skip
        """Code for every cell of a window: where it is, and its name."""
        builder = self.builder
        with cgutils.for_range(builder, rows) as row, cgutils.for_range(builder, cols) as col:
            at = builder.add(x_at, builder.mul(row.index, row_step))
            name = builder.add(first_name, builder.mul(row.index, name_step))
            name = builder.trunc(builder.add(name, col.index), INDEX)
            yield builder.add(at, builder.mul(col.index, col_step)), self.all(name)


def _for_all_channels(
    context: Any, builder: Any, signature: Any, args: Any, emit: Callable[[_Pixel, Any], None]
) -> Any:
    """`emit` for whole vectors of channels, then for the channels that are left, one by one. Their number is the last
    argument."""
    channels = args[-1]
    itemsize = signature.args[0].dtype.bitwidth // 8
    whole = builder.sub(channels, builder.srem(channels, channels.type(VECTOR_BYTES // itemsize)))
    for first, last, lanes in ((channels.type(0), whole, VECTOR_BYTES // itemsize), (whole, channels, 1)):
        pixel = _Pixel(context, builder, signature, args, lanes)
        with cgutils.for_range_slice(builder, first, last, channels.type(lanes), inc=True) as (c, _):
            emit(pixel, c)
    return context.get_dummy_value()


def _largest(typingctx, x, x_at, rows, row_step, cols, col_step, y, y_at, channels):
    """y[y_at + c] = the largest of the cells; NaN is larger than numbers."""
    signature = types.void(x, x_at, rows, row_step, cols, col_step, y, y_at, channels)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, x_at, rows, row_step, cols, col_step, _, y_at, _ = args

        def emit(pixel: _Pixel, c: Any) -> None:
            start = builder.add(x_at, c)
            best = cgutils.alloca_once_value(builder, pixel.load(0, start))
            with pixel.cells(start, rows, row_step, cols, col_step, rows.type(0), rows.type(0)) as (at, _):
                value, top = pixel.load(0, at), builder.load(best)
                builder.store(builder.select(_beats(builder, value, top), value, top), best)
            pixel.store(builder.load(best), 6, builder.add(y_at, c))

        return _for_all_channels(context, builder, signature, args, emit)

    return signature, codegen


def _winner(typingctx, x, x_at, rows, row_step, cols, col_step, first_name, name_step, y, names, y_at, channels):
    """The same, and names[y_at + c] = the name of that cell, the first of equals."""
    signature = types.void(x, x_at, rows, row_step, cols, col_step, first_name, name_step, y, names, y_at, channels)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, x_at, rows, row_step, cols, col_step, first_name, name_step, _, _, y_at, _ = args

        def emit(pixel: _Pixel, c: Any) -> None:
            start = builder.add(x_at, c)
            best = cgutils.alloca_once_value(builder, pixel.load(0, start))
            who = cgutils.alloca_once_value(builder, pixel.all(builder.trunc(first_name, INDEX)))
            with pixel.cells(start, rows, row_step, cols, col_step, first_name, name_step) as (at, name):
                value, top = pixel.load(0, at), builder.load(best)
                wins = _beats(builder, value, top)
                builder.store(builder.select(wins, value, top), best)
                builder.store(builder.select(wins, name, builder.load(who)), who)
            pixel.store(builder.load(best), 8, builder.add(y_at, c))
            pixel.store(builder.trunc(builder.load(who), pixel.of(BYTE)), 9, builder.add(y_at, c))

        return _for_all_channels(context, builder, signature, args, emit)

    return signature, codegen


def _hand_back(typingctx, dx, dx_at, rows, row_step, cols, col_step, first_name, name_step, dy, names, y_at, add,
               channels):  # fmt: skip
    """dx = dy[y_at + c] in the cell that has the name names[y_at + c], 0 in the others; with `add`, dx += that."""
    signature = types.void(
        dx, dx_at, rows, row_step, cols, col_step, first_name, name_step, dy, names, y_at, add, channels
    )

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, dx_at, rows, row_step, cols, col_step, first_name, name_step, _, _, y_at, add, _ = args

        def emit(pixel: _Pixel, c: Any) -> None:
            d = pixel.load(8, builder.add(y_at, c))
            nothing = ir.Constant(d.type, None)
            who = builder.zext(pixel.load(9, builder.add(y_at, c)), pixel.of(INDEX))
            start = builder.add(dx_at, c)
            with pixel.cells(start, rows, row_step, cols, col_step, first_name, name_step) as (at, name):
                before = builder.select(add, pixel.load(0, at), nothing)
                share = builder.select(builder.icmp_unsigned("==", who, name), d, nothing)
                pixel.store(builder.fadd(before, share), 0, at)

        return _for_all_channels(context, builder, signature, args, emit)

    return signature, codegen


def _mean(typingctx, x, x_at, rows, row_step, cols, col_step, y, y_at, channels):
    """y[y_at + c] = the mean of the cells; each row is added up first, so that large windows lose few digits."""
    signature = types.void(x, x_at, rows, row_step, cols, col_step, y, y_at, channels)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, x_at, rows, row_step, cols, col_step, _, y_at, _ = args

        def emit(pixel: _Pixel, c: Any) -> None:
            scalar = context.get_value_type(signature.args[0].dtype)
            nothing = ir.Constant(pixel.of(scalar), None)
            total, of_row = cgutils.alloca_once_value(builder, nothing), cgutils.alloca_once(builder, nothing.type)
            with cgutils.for_range(builder, rows) as row:
                builder.store(nothing, of_row)
                start = builder.add(builder.add(x_at, c), builder.mul(row.index, row_step))
                with cgutils.for_range(builder, cols) as col:
                    value = pixel.load(0, builder.add(start, builder.mul(col.index, col_step)))
                    builder.store(builder.fadd(builder.load(of_row), value), of_row)
                builder.store(builder.fadd(builder.load(total), builder.load(of_row)), total)
            count = pixel.all(builder.sitofp(builder.mul(rows, cols), scalar))
            pixel.store(builder.fdiv(builder.load(total), count), 6, builder.add(y_at, c))

        return _for_all_channels(context, builder, signature, args, emit)

    return signature, codegen


def _share_out(typingctx, dx, dx_at, rows, row_step, cols, col_step, dy, y_at, add, channels):
    """dx = an equal share of dy[y_at + c] in every cell; with `add`, dx += that."""
    signature = types.void(dx, dx_at, rows, row_step, cols, col_step, dy, y_at, add, channels)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, dx_at, rows, row_step, cols, col_step, _, y_at, add, _ = args

        def emit(pixel: _Pixel, c: Any) -> None:
            count = pixel.all(builder.sitofp(builder.mul(rows, cols), context.get_value_type(signature.args[0].dtype)))
            share = builder.fdiv(pixel.load(6, builder.add(y_at, c)), count)
            nothing, zero = ir.Constant(share.type, None), rows.type(0)
            with pixel.cells(builder.add(dx_at, c), rows, row_step, cols, col_step, zero, zero) as (at, _):
                before = builder.select(add, pixel.load(0, at), nothing)
                pixel.store(builder.fadd(before, share), 0, at)

        return _for_all_channels(context, builder, signature, args, emit)

    return signature, codegen


def _beats(builder: Any, value: Any, top: Any) -> Any:
    """Whether a value is larger than the top so far, or NaN, and the top is no NaN yet."""
    return builder.and_(builder.fcmp_unordered(">", value, top), builder.fcmp_ordered("ord", top, top))


largest: Any = intrinsic(_largest)
winner: Any = intrinsic(_winner)
hand_back: Any = intrinsic(_hand_back)
mean: Any = intrinsic(_mean)
share_out: Any = intrinsic(_share_out)
