"""The only file that imports Numba and llvmlite: much of what the kernels need there is private and may change.

Kernels are called by address. A call by name would compile the kernel's code into every function that calls it, and
Python's wrapper into every function that only kernels call: the first run would take longer.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from importlib import import_module
from typing import Any, Protocol

import llvmlite
import numba
from llvmlite import ir
from llvmlite.binding import ffi
from numba import carray, config, get_num_threads, njit, prange, typeof, types
from numba._dispatcher import compute_fingerprint
from numba.core import cgutils, event
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.core.serialize import dumps
from numba.core.types import unliteral
from numba.extending import intrinsic, models, register_jitable, register_model
from numba.np.arrayobj import populate_array
from numba.np.ufunc import parallel
from numba.np.unsafe.ndarray import to_fixed_tuple

from ....interrupts import delayed_interrupt

__all__ = [
    "Store",
    "address_of",
    "call_by_address",
    "call_on_all_threads",
    "carray",
    "cgutils",
    "compile_for",
    "compiler_locks",
    "cpu_features",
    "forbid_python_calls",
    "get_num_threads",
    "intrinsic",
    "ir",
    "keep_in",
    "load_openmp",
    "models",
    "njit",
    "numba_cache_dir",
    "pool_started",
    "populate_array",
    "prange",
    "register_jitable",
    "register_model",
    "to_fixed_tuple",
    "type_fingerprint",
    "typeof",
    "types",
    "unliteral",
    "versions",
]

PACKAGE = __name__.removesuffix(".runtime.numba_internals")

versions = f"numba {numba.__version__}, llvmlite {llvmlite.__version__}"
numba_cache_dir: str = getattr(config, "CACHE_DIR", "")
type_fingerprint: Callable[[tuple[Any, ...]], bytes] = compute_fingerprint
"""Equal for arguments of equal types, much faster to compute than the types themselves."""

compiler_locks = (global_compiler_lock, parallel._backend_init_thread_lock, ffi.lib._lock)
"""The locks of Numba's compiler, of the start of its thread pool, and of LLVM, in the order in which they are taken;
`with lock:` holds one. All are re-entrant."""


def compile_for(function: Any, signature: Any) -> None:
    """Compile a function for this signature, or load it from the cache."""
    with delayed_interrupt():  # LLVM calls back into Python, where a KeyboardInterrupt would be lost
        function.compile(signature)


def address_of(function: Any, signature: Any) -> int:
    """The address of a function's machine code for this signature, compiled or loaded from the cache."""
    compile_for(function, signature)
    compiled = function.overloads[signature.args]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


def forbid_python_calls(kernel: Any, refuse: Callable[..., None]) -> Any:
    """The kernel, which calls `refuse` when Python calls it. Compiled without a wrapper, it would jump to address 0."""
    kernel._compile_for_args, kernel._insert = refuse, lambda *compiled: None
    return kernel


def cpu_features() -> list[str]:
    """The instruction sets that Numba compiles for, such as "+avx2": this CPU's, unless the environment says other."""
    return cpu_target.target_context.codegen().magic_tuple()[2].split(",")


def load_openmp() -> None:
    """Load Numba's OpenMP thread pool; where there is no OpenMP, Numba uses another pool."""
    with suppress(ImportError):
        import_module("numba.np.ufunc.omppool")


def pool_started() -> bool:
    """Whether this process, or the one that it was forked from, has started Numba's thread pool."""
    return parallel._is_initialized


class Store(Protocol):
    """Where compiled functions are kept between two runs, by name; `cache` is one."""

    def load(self, name: str) -> bytes | None: ...
    def save(self, name: str, content: bytes) -> None: ...
    def drop(self, name: str) -> None: ...


def keep_in(store: Store, function: Any) -> Any:
    """The compiled function, which from now on is loaded from this store if it is there, else compiled and saved."""
    function._cache = _KernelCache(store, function.py_func)
    return function


class _KernelCache(NullCache):
    """What Numba asks before it compiles a function for a signature, and tells afterwards."""

    def __init__(self, store: Store, function: Any) -> None:
        self._store, self._function = store, function

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        target_context.refresh()  # Numba's own cache does so: registers what the loaded code may call
        name = self._name(sig, target_context.codegen())
        if (content := self._store.load(name)) is None:
            return None
        try:
            return CompileResult._rebuild(target_context, *pickle.loads(content))
        except Exception:  # saved by another build of the same versions, say; whatever it is, compiling mends it
            self._store.drop(name)
            return None

    def save_overload(self, sig: Any, cres: Any) -> None:
        if not cres.library.has_dynamic_globals:  # addresses, that mean nothing in another process
            self._store.save(self._name(sig, cres.codegen), dumps(cres._reduce()))

    def _name(self, sig: Any, codegen: Any) -> str:
        """Readable, then a digest of the types, the processor, and what the store does not know of the function."""
        function, code = self._function, self._function.__code__
        variables = dumps([cell.cell_contents for cell in function.__closure__ or ()])
        facts = (str(sig), codegen.magic_tuple(), function.__module__, code.co_firstlineno, code.co_code, variables)
        return f"{function.__name__.strip('<>')}-{sha256(repr(facts).encode()).hexdigest()[:24]}"


@intrinsic
def call_by_address(typingctx, address, args):
    """Call the kernel at an address. True if it failed, for want of memory."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = signature.args[1]
        return _failed(context, builder, values[0], kinds.types, _borrowed(context, builder, kinds, values[1]))

    return types.boolean(address, unliteral(args)), codegen


@intrinsic
def call_on_all_threads(typingctx, fan_out, threads, address, args):
    """Call the kernel at an address on all threads; `fan_out` is the address of `_fan_out`.

    That function is compiled once, whatever the arguments are: it takes the address of a function that unpacks them,
    and their address. True if a thread failed, for want of memory.
    """
    fan_out_types = (types.intp,) * 3
    kernel_types = (types.intp, types.intp, *args.types)

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        members = [context.get_constant(types.intp, 0), values[2], *_borrowed(context, builder, args, values[3])]
        packed = cgutils.alloca_once_value(builder, cgutils.pack_struct(builder, members))

        convention, integer = context.call_conv, context.get_value_type(types.intp)
        function_type = convention.get_function_type(types.none, fan_out_types)
        unpack = ir.Function(builder.module, function_type, builder.module.get_unique_name("unpack"))
        unpack.linkage = "internal"
        inside = ir.IRBuilder(unpack.append_basic_block())
        threads, thread, packed_address = convention.get_arguments(unpack)
        pack = inside.inttoptr(packed_address, packed.type)
        _, address, *rest = cgutils.unpack_tuple(inside, inside.load(pack))
        with inside.if_then(_failed(context, inside, address, kernel_types, [threads, thread, *rest]), likely=False):
            inside.store(context.get_constant(types.intp, 1), cgutils.gep_inbounds(inside, pack, 0, 0))
        convention.return_value(inside, context.get_dummy_value())

        arguments = [values[1], builder.ptrtoint(unpack, integer), builder.ptrtoint(packed, integer)]
        failed = _failed(context, builder, values[0], fan_out_types, arguments)
        mark = builder.load(cgutils.gep_inbounds(builder, packed, 0, 0))
        return builder.or_(failed, cgutils.is_not_null(builder, mark))

    return types.boolean(fan_out, threads, address, args), codegen


def _borrowed(context: Any, builder: Any, kinds: Any, values: Any) -> list[Any]:
    """The members of a tuple, arrays without their owner: the caller owns them while the call lasts.

    Slicing updates an array's shared reference count; threads that update one counter slow each other down.
    """
    members = cgutils.unpack_tuple(builder, values)
    for at, kind in enumerate(kinds.types):
        if isinstance(kind, types.Array):
            array = context.make_array(kind)(context, builder, members[at])
            array.meminfo = cgutils.get_null_value(array.meminfo.type)
            members[at] = array._getvalue()
    return members


def _failed(context: Any, builder: Any, address: Any, kernel_types: Any, arguments: Any) -> Any:
    """Call compiled code that returns nothing; whether it raised. All that kernels raise is MemoryError."""
    function_type = context.call_conv.get_function_type(types.none, kernel_types)
    function = builder.inttoptr(address, function_type.as_pointer())
    return context.call_conv.call_function(builder, function, types.none, kernel_types, arguments)[0].is_error


class _Notice(event.Listener):
    """Says once, on stderr, that kernels are being compiled. Kernels from the cache raise no such event."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, event: Any) -> None:
        if not self.said and event.data["dispatcher"].py_func.__module__.startswith(PACKAGE):
            self.said = True
            print("minicnn: compiling its kernels for this machine, once (some 15 seconds) …", file=sys.stderr)

    def on_end(self, event: Any) -> None:
        pass


event.register("numba:compile", _Notice())
