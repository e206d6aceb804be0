"""What threads tell each other while they work: this part is mine, this one is done.

Every thread may find all parts taken and done by the others, or none: nobody waits for a thread that has not come yet.
"""

from __future__ import annotations

import platform
import sys
from typing import Any

from .compile import serial
from .numba_internals import cgutils, intrinsic, ir, types

PATIENCE = 10_000  # some 100 microseconds; who waits longer offers the processor to others
_PAUSES = {"x86_64": ("llvm.x86.sse2.pause", []), "aarch64": ("llvm.aarch64.hint", [1])}
_PAUSES |= {"amd64": _PAUSES["x86_64"], "arm64": _PAUSES["aarch64"]}  # Windows' and Apple's names
_i32 = ir.IntType(32)


@intrinsic
def _add(typingctx, array, index, value):
    """Add to a number of the array -> what it was before."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _place(context, builder, signature, args), args[2], "acq_rel")

    return types.int64(array, index, types.int64), codegen


@intrinsic
def _look(typingctx, array, index):
    """A number of the array, and with it all that was written before that number was."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_place(context, builder, signature, args), "acquire", 8)

    return types.int64(array, index), codegen


def _place(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    return builder.gep(context.make_array(signature.args[0])(context, builder, args[0]).data, [args[1]])


@intrinsic
def _pause(typingctx):
    """A moment in which the processor's other thread has it to itself."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        name, numbers = _PAUSES.get(platform.machine().lower(), (None, []))
        if name:
            function_type = ir.FunctionType(ir.VoidType(), [_i32] * len(numbers))
            function = cgutils.get_or_insert_function(builder.module, function_type, name)
            builder.call(function, [_i32(number) for number in numbers])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def _give_way(typingctx):
    """Let another thread have this processor, if one wants it; on Windows, go on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if sys.platform != "win32":
            function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_i32, []), "sched_yield")
            builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), codegen


@serial
def claim(notes, at):
    """Whether the caller is the first to claim what notes[at] stands for; 0 until then."""
    return _look(notes, at) == 0 and _add(notes, at, 1) == 0  # to look is cheap: others may look meanwhile


@serial
def tell(notes, at):
    """Count one more in notes[at]; whoever sees it sees all that the caller has written before."""
    _add(notes, at, 1)


@serial
def wait(notes, at, count):
    """Return when so many have been counted in notes[at]."""
    spins = 0
    while _look(notes, at) < count:
        _pause()
        spins += 1
        if spins > PATIENCE:
            _give_way()
