"""Calls of kernels by their address.

A call by name would compile the kernel's code into every place that calls it, again and again, and Python's door into
every function that only kernels call: time that the first run would take longer.
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

_SHARE = (types.intp,) * 3  # what _everyone and the functions that it calls take


def machine_code(kernel: Any, args: tuple[Any, ...]) -> int:
    """Where the kernel for parts, a part and arguments of these types lies in memory, compiled or loaded."""
    return _address(kernel, types.void(types.intp, types.intp, *map(typeof, args)))


def _address(function: Any, signature: Any) -> int:
    function.compile(signature)
    compiled = function.overloads[signature.args]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


@intrinsic
def call(typingctx, address, parts, part, args):
    """Call the kernel at an address: one of so many parts of its work. True if it failed, for want of memory."""
    argument_types = (parts, part, *args.types)

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        arguments = [values[1], values[2], *_lent(context, builder, args, values[3])]
        return _failed(context, builder, values[0], argument_types, arguments)

    return types.boolean(address, parts, part, args), codegen


@intrinsic
def call_together(typingctx, everyone, threads, address, args):
    """The team calls the kernel at an address, each thread with a part of its own; `everyone` is where _everyone is.

    That one is compiled once, whatever the arguments are: it is given a function that unpacks them, and where they are.
    True if a thread failed, for want of memory.
    """
    argument_types = (types.intp, types.intp, *args.types)

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        members = [context.get_constant(types.intp, 0), values[2], *_lent(context, builder, args, values[3])]
        place = cgutils.alloca_once_value(builder, cgutils.pack_struct(builder, members))

        convention, integer = context.call_conv, context.get_value_type(types.intp)
        function_type = convention.get_function_type(types.none, _SHARE)
        unpack = ir.Function(builder.module, function_type, builder.module.get_unique_name("unpack"))
        unpack.linkage = "internal"
        inside = ir.IRBuilder(unpack.append_basic_block())
        parts, part, where = convention.get_arguments(unpack)
        pack = inside.inttoptr(where, place.type)
        _, address, *rest = cgutils.unpack_tuple(inside, inside.load(pack))
        with inside.if_then(_failed(context, inside, address, argument_types, [parts, part, *rest]), likely=False):
            inside.store(context.get_constant(types.intp, 1), cgutils.gep_inbounds(inside, pack, 0, 0))
        convention.return_value(inside, context.get_dummy_value())

        arguments = [values[1], builder.ptrtoint(unpack, integer), builder.ptrtoint(place, integer)]
        failed = _failed(context, builder, values[0], _SHARE, arguments)
        mark = builder.load(cgutils.gep_inbounds(builder, place, 0, 0))
        return builder.or_(failed, cgutils.is_not_null(builder, mark))

    return types.boolean(everyone, threads, address, args), codegen


def _lent(context: Any, builder: Any, kinds: Any, values: Any) -> list[Any]:
    """The members of a tuple, arrays without their owner: the caller holds them while the call lasts.

    A kernel that takes a slice counts one more user of the array, and threads that count on one place wait for each
    other.
    """
    members = cgutils.unpack_tuple(builder, values)
    for at, kind in enumerate(kinds.types):
        if isinstance(kind, types.Array):
            array = context.make_array(kind)(context, builder, members[at])
            array.meminfo = cgutils.get_null_value(array.meminfo.type)
            members[at] = array._getvalue()
    return members


def _failed(context: Any, builder: Any, address: Any, argument_types: Any, arguments: Any) -> Any:
    """Call compiled code that returns nothing, and say whether it raised. All that kernels raise is MemoryError."""
    function_type = context.call_conv.get_function_type(types.none, argument_types)
    function = builder.inttoptr(address, function_type.as_pointer())
    return context.call_conv.call_function(builder, function, types.none, argument_types, arguments)[0].is_error


def _everyone(threads, unpack, place):
    for part in prange(threads):
        call(unpack, threads, np.intp(part), (place,))


_everyone = cached(njit(parallel=True, **INSIDE)(_everyone))


@cache
def everyone() -> int:
    """Where the function is by which `call_together` reaches all threads."""
    return _address(_everyone, types.void(*_SHARE))


def _call_all(everyone, threads, address, args):
    if call(address, 1, 0, args) if threads == 1 else call_together(everyone, threads, address, args):
        raise MemoryError("There is no memory for the arrays of a kernel. Smaller batches need less.")


call_all = cached(njit(**OPTIONS)(_call_all))
"""The kernel at an address does all of its parts; Python's way to start one."""
