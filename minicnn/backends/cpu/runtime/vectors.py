"""Vectors: as many numbers as a register of the CPU holds, as values that kernels compute with.

A pixel has few channels, and a compiled loop over them has to find out first how long it is and whether its arrays
overlap; after two turns it is over. With vectors, the sum or the largest value so far stays in a register while a
kernel looks at all cells of a window. Where fewer numbers are left than a vector holds, the other lanes are masked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .numba_internals import cgutils, cpu_features, intrinsic, ir, models, register_model, types

_features = cpu_features()
VECTOR_BYTES = 64 if "+avx512f" in _features else 32 if "+avx" in _features else 16
"""Bytes of a register of the CPU that Numba compiles for."""


class Vector(types.Type):
    """Numba's type of a vector."""

    def __init__(self, dtype: Any) -> None:
        self.dtype, self.lanes = dtype, VECTOR_BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"Vector({dtype})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, ir.VectorType(manager.lookup(kind.dtype).get_value_type(), kind.lanes))


@intrinsic
def lanes(typingctx, array):
    """How many numbers of the array's dtype a vector holds: a constant, so that loops with this step do not divide."""
    number = VECTOR_BYTES * 8 // array.dtype.bitwidth
    return types.intp(array), lambda context, builder, signature, args: context.get_constant(types.intp, number)


def broadcast(builder: Any, number: Any, lanes: int) -> Any:
    """LLVM's value of a vector that holds one number in all its lanes."""
    empty = ir.Constant(ir.VectorType(number.type, lanes), ir.Undefined)
    first = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return builder.shuffle_vector(builder.insert_element(empty, number, ir.IntType(32)(0)), empty, first)


def _masked(access: str, context: Any, builder: Any, kind: Any, array: Any, at: Any, count: Any, value: Any) -> Any:
    """LLVM's masked "load" or "store" of a vector: numbers behind the first `count` are not touched."""
    vector, size = context.get_value_type(kind), kind.dtype.bitwidth
    address = builder.bitcast(builder.gep(array.data, [at]), vector.as_pointer())
    int32 = ir.IntType(32)
    lane = ir.Constant(ir.VectorType(int32, kind.lanes), list(range(kind.lanes)))
    mask = builder.icmp_signed("<", lane, broadcast(builder, builder.trunc(count, int32), kind.lanes))
    align = int32(size // 8)
    operands = [address, align, mask, value] if access == "load" else [value, address, align, mask]
    result = vector if access == "load" else ir.VoidType()
    function = ir.FunctionType(result, [operand.type for operand in operands])
    name = f"llvm.masked.{access}.v{kind.lanes}f{size}.p0"
    return builder.call(cgutils.get_or_insert_function(builder.module, function, name), operands)


@intrinsic
def short_loops(typingctx):
    """In a kernel: do not unroll its loops, which end after a few iterations."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.function.attributes.add("optsize")
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def load(typingctx, array, at, count):
    """The vector of array[at : at + count], zeros behind; a vector takes no more than it holds. The array is flat."""
    kind = Vector(array.dtype)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source = context.make_array(signature.args[0])(context, builder, args[0])
        nothing = ir.Constant(context.get_value_type(kind), None)
        return _masked("load", context, builder, kind, source, *args[1:], nothing)

    return kind(array, types.intp, types.intp), codegen


@intrinsic
def store(typingctx, array, at, count, vector):
    """array[at : at + count] = vector, or as much of it as a vector holds. The array is flat."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        target = context.make_array(signature.args[0])(context, builder, args[0])
        _masked("store", context, builder, vector, target, *args[1:])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, vector), codegen


@intrinsic
def zeros(typingctx, array):
    """A vector of zeros, of the array's dtype."""
    kind = Vector(array.dtype)
    return kind(array), lambda context, builder, signature, args: ir.Constant(context.get_value_type(kind), None)


@intrinsic
def divide(typingctx, vector, number):
    """Every number of the vector, divided by an integer."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        divisor = builder.sitofp(args[1], args[0].type.element)
        return builder.fdiv(args[0], broadcast(builder, divisor, vector.lanes))

    return vector(vector, types.intp), codegen


@intrinsic
def where_equal(typingctx, one, other, value, otherwise):
    """The numbers of `value` where the first two are equal, or the first is NaN; elsewhere those of `otherwise`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        one, other, value, otherwise = args
        equal = builder.or_(builder.fcmp_ordered("==", one, other), builder.fcmp_unordered("uno", one, one))
        return builder.select(equal, value, otherwise)

    return value(one, other, value, otherwise), codegen


def _of_two(emit: Callable[..., Any]) -> Any:
    """A function of two vectors for kernels, from what it is in LLVM's instructions."""

    def function(typingctx, one, other):
        return one(one, other), lambda context, builder, signature, args: emit(builder, *args)

    return intrinsic(function)


def _maximum(builder: Any, one: Any, other: Any) -> Any:
    function = ir.FunctionType(one.type, [one.type] * 2)
    bits = {"float": 32, "double": 64}[str(one.type.element)]
    name = f"llvm.maximum.v{one.type.count}f{bits}"
    declared = cgutils.get_or_insert_function(builder.module, function, name)
    return builder.call(declared, [one, other], fastmath=["nsz"])  # −0 and 0 are equal


# a product and a sum may be one instruction
add = _of_two(lambda builder, one, other: builder.fadd(one, other, flags=("contract",)))
multiply = _of_two(lambda builder, one, other: builder.fmul(one, other, flags=("contract",)))
maximum = _of_two(_maximum)
"""The larger of two numbers, NaN if one is."""
