"""Vectors: as many numbers as a register of the CPU holds, as values that kernels compute with.

A pixel has few channels, and a compiled loop over them has to find out first how long it is, whether its arrays
overlap, and what is left when no whole vector is; after two turns it is over. With vectors, the sum or the largest
value so far stays in a register while a kernel looks at all cells of a window.

The functions take numbers as well, for the channels that do not fill a vector; `like` says which of the two is meant.
"""

from __future__ import annotations

from typing import Any

from .compile import serial
from .numba_internals import cpu_features, intrinsic, ir, models, register_model, types, unliteral

_features = cpu_features()
VECTOR_BYTES = 64 if "+avx512f" in _features else 32 if "+avx" in _features else 16
"""Bytes of a register of the CPU that Numba compiles for."""


class Vector(types.Type):
    """Numba's type of a vector."""

    def __init__(self, dtype: Any, lanes: int) -> None:
        self.dtype, self.lanes = dtype, lanes
        super().__init__(name=f"Vector({dtype}, {lanes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, ir.VectorType(manager.lookup(kind.dtype).get_value_type(), kind.lanes))


def _kind(dtype: Any, like: Any) -> Any:
    """The type of a value of this dtype, a vector if `like` is one; names of cells, bytes in memory, are int32."""
    dtype = types.int32 if dtype in (types.uint8, types.int64) else dtype
    return Vector(dtype, like.lanes) if isinstance(like, Vector) else dtype


def _element(context: Any, builder: Any, signature: Any, args: Any, lanes: int) -> Any:
    """The address of element args[1] of the array args[0], and of so many beside it; the dtype's bytes."""
    array = context.make_array(signature.args[0])(context, builder, args[0])
    pointer = builder.gep(array.data, [args[1]])
    kind = pointer.type.pointee if lanes == 1 else ir.VectorType(pointer.type.pointee, lanes)
    return builder.bitcast(pointer, kind.as_pointer()), signature.args[0].dtype.bitwidth // 8


@intrinsic
def zeros(typingctx, array):
    """A vector of zeros, of the array's dtype."""
    kind = Vector(array.dtype, VECTOR_BYTES * 8 // array.dtype.bitwidth)
    return kind(array), lambda context, builder, signature, args: ir.Constant(context.get_value_type(kind), None)


@intrinsic
def load(typingctx, array, at, like):
    """The numbers of a flat array from array[at] on."""
    kind = _kind(array.dtype, like)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer, align = _element(context, builder, signature, args, getattr(kind, "lanes", 1))
        value, expected = builder.load(pointer, align=align), context.get_value_type(kind)
        return value if value.type == expected else builder.zext(value, expected)

    return kind(array, unliteral(at), like), codegen


@intrinsic
def store(typingctx, array, at, value):
    """Write numbers into a flat array from array[at] on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer, align = _element(context, builder, signature, args, getattr(value, "lanes", 1))
        number = args[2] if args[2].type == pointer.type.pointee else builder.trunc(args[2], pointer.type.pointee)
        builder.store(number, pointer, align=align)
        return context.get_dummy_value()

    return types.void(array, unliteral(at), value), codegen


@intrinsic
def spread(typingctx, number, like):
    """One number in all lanes."""
    number = unliteral(number)
    kind = _kind(number, like)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value = builder.trunc(args[0], ir.IntType(32)) if number == types.int64 else args[0]
        if not isinstance(kind, Vector):
            return value
        empty = ir.Constant(context.get_value_type(kind), ir.Undefined)
        first = ir.Constant(ir.VectorType(ir.IntType(32), kind.lanes), [0] * kind.lanes)
        return builder.shuffle_vector(builder.insert_element(empty, value, ir.IntType(32)(0)), empty, first)

    return kind(number, like), codegen


@intrinsic
def add(typingctx, one, other):
    """one + other."""
    return one(one, other), lambda context, builder, signature, args: builder.fadd(*args)


@intrinsic
def divide(typingctx, one, other):
    """one / other."""
    return one(one, other), lambda context, builder, signature, args: builder.fdiv(*args)


@intrinsic
def where_positive(typingctx, y, value):
    """value · (y > 0): relu's derivative by its output y."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        nothing, one = ir.Constant(args[0].type, None), context.get_constant(getattr(y, "dtype", y), 1.0)
        one = one if args[0].type == one.type else ir.Constant(args[0].type, [one.constant] * y.lanes)
        return builder.fmul(args[1], builder.select(builder.fcmp_ordered(">", args[0], nothing), one, nothing))

    return value(y, value), codegen


@intrinsic
def larger(typingctx, value, name, best, winner):
    """The larger of value and best, best if they are equal, NaN if one is, and the name that belongs to it."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, name, best, winner = args
        wins = builder.and_(builder.fcmp_unordered(">", value, best), builder.fcmp_ordered("ord", best, best))
        members = [builder.select(wins, value, best), builder.select(wins, name, winner)]
        return context.make_tuple(builder, signature.return_type, members)

    return types.Tuple((best, winner))(value, name, best, winner), codegen


@intrinsic
def where_equal(typingctx, name, winner, value):
    """The value where the two names are equal, else 0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        name, winner, value = args
        return builder.select(builder.icmp_signed("==", name, winner), value, ir.Constant(value.type, None))

    return value(name, winner, value), codegen


@serial
def whole_vectors(channels, itemsize):
    """The step from one vector of channels to the next, and how many channels fill vectors."""
    lanes = VECTOR_BYTES // itemsize
    return lanes, channels // lanes * lanes
