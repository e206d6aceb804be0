"""Calls of kernels by their address.

A call by name would compile the kernel's code into every place that calls it, again and again, and Python's door into
every function that only kernels call. Together that was half of the time that the first run took.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, prange, typeof, types
from numba.core import cgutils
from numba.extending import intrinsic

from .kernel_cache import cached

# As in NumPy, 1 / 0 is infinite; nobody calls a kernel from C, so no door for that is compiled.
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
INSIDE = OPTIONS | {"no_cpython_wrapper": True}  # nor is it called from Python


def machine_code(kernel: Any, args: tuple[Any, ...]) -> int:
    """Where the kernel for parts, a part and arguments of these types lies in memory, compiled or loaded."""
    return _machine_code(kernel, types.void(types.intp, types.intp, *map(typeof, args)))


def _machine_code(function: Any, signature: Any) -> int:
    function.compile(signature)
    compiled = function.overloads[signature.args]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


@intrinsic
def call(typingctx, address, parts, part, args):
    """Call the kernel at an address: one of so many parts of its work."""
    argument_types = (parts, part, *args.types)

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        arguments = [values[1], values[2], *_lent(context, builder, args, values[3])]
        _call(context, builder, values[0], argument_types, arguments)
        return context.get_dummy_value()

    return types.void(address, parts, part, args), codegen


@intrinsic
def share_out(typingctx, everyone, threads, address, args):
    """The team calls the kernel at an address, each thread with a part of its own; `everyone` is where _everyone is.

    That one is compiled once, whatever the arguments are: it is given a function that unpacks them, and where they are.
    """
    argument_types = (types.intp, types.intp, *args.types)

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        pack = cgutils.pack_struct(builder, [values[2], *_lent(context, builder, args, values[3])])
        place = cgutils.alloca_once_value(builder, pack)

        convention, integer = context.call_conv, context.get_value_type(types.intp)
        function_type = convention.get_function_type(types.none, _SHARE)
        unpack = ir.Function(builder.module, function_type, builder.module.get_unique_name("unpack"))
        unpack.linkage = "internal"
        inside = ir.IRBuilder(unpack.append_basic_block())
        parts, part, where = convention.get_arguments(unpack)
        address, *rest = cgutils.unpack_tuple(inside, inside.load(inside.inttoptr(where, place.type)))
        _call(context, inside, address, argument_types, [parts, part, *rest])
        convention.return_value(inside, context.get_dummy_value())

        arguments = [values[1], builder.ptrtoint(unpack, integer), builder.ptrtoint(place, integer)]
        _call(context, builder, values[0], _SHARE, arguments)
        return context.get_dummy_value()

    return types.void(everyone, threads, address, args), codegen


_SHARE = (types.intp,) * 3


def _lent(context: Any, builder: Any, kinds: Any, values: Any) -> list[Any]:
    """The members of a tuple, arrays without their owner: the caller holds them while the call lasts.

    A kernel that takes a slice counts one more user of the array, and threads that count on one place wait for each
    other: that took a tenth of a backward.
    """
    members = cgutils.unpack_tuple(builder, values)
    for at, kind in enumerate(kinds.types):
        if isinstance(kind, types.Array):
            array = context.make_array(kind)(context, builder, members[at])
            array.meminfo = cgutils.get_null_value(array.meminfo.type)
            members[at] = array._getvalue()
    return members


def _call(context: Any, builder: Any, address: Any, argument_types: Any, arguments: Any) -> None:
    """A call of compiled code that returns nothing."""
    function_type = context.call_conv.get_function_type(types.none, argument_types)
    function = builder.inttoptr(address, function_type.as_pointer())
    context.call_conv.call_function(builder, function, types.none, argument_types, arguments)


def _everyone(threads, unpack, place):
    for part in prange(threads):
        call(unpack, threads, np.intp(part), (place,))


_everyone = cached(njit(parallel=True, **INSIDE)(_everyone))


@cache
def everyone() -> int:
    """Where the function is by which `share_out` reaches all threads."""
    return _machine_code(_everyone, types.void(*_SHARE))


def _call_all(everyone, threads, address, args):
    if threads == 1:
        call(address, threads, 0, args)
    else:
        share_out(everyone, threads, address, args)


call_all = cached(njit(**OPTIONS)(_call_all))
"""The kernel at an address does all of its parts; Python's way to start one."""
