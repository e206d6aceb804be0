"""The only file that imports Numba and llvmlite: much of what the kernels need there is private and may change.

Kernels are called by address. A call by name would compile the kernel's code into every function that calls it, and
Python's wrapper into every function that only kernels call: the first run would take longer.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib import import_module
from typing import Any

import llvmlite
import numba
from llvmlite import ir
from llvmlite.binding import ffi
from numba import carray, config, get_num_threads, njit, prange, typeof, types
from numba._dispatcher import compute_fingerprint
from numba.core import cgutils
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


def num_threads() -> int:
    """Numba's number of threads. Numba's own function waits for a lock of the operating system each time, some 5 µs."""
    if not parallel._is_initialized:
        return get_num_threads()
    started: Any = parallel  # it gets the function when it starts
    return started._get_num_threads()


def pool_started() -> bool:
    """Whether this process, or the one that it was forked from, has started Numba's thread pool."""
    return parallel._is_initialized


def keep_in(store: Any, function: Any) -> Any:
    """The compiled function, which from now on is loaded from this store if it is there, else compiled and saved.

    A store has load(name) -> bytes or None, save(name, content) and drop(name), as the module `cache`.
    """
    function._cache = _KernelCache(store, function.py_func)
    return function


class _KernelCache(NullCache):
    """What Numba asks before it compiles a function for a signature, and tells afterwards."""

    def __init__(self, store: Any, function: Any) -> None:
        self._store, self._function = store, function

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        target_context.refresh()  # Numba's own cache does so: registers what the loaded code may call
        name = self._name(sig, target_context.codegen())
        if (content := self._store.load(name)) is not None:
            try:
                return CompileResult._rebuild(target_context, *pickle.loads(content))
            except Exception:  # pickle, Numba and LLVM raise exceptions of all kinds; the kernel is compiled again
                self._store.drop(name)
        _announce()
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


@cache
def _announce() -> None:
    """Say once that kernels are being compiled."""
    print(
        "minicnn: compiling its kernels, each once on this machine (at the first start some 15 seconds) …",
        file=sys.stderr,
    )


@intrinsic
def call_by_address(typingctx, address, args):
    """Call the kernel at an address, which returns nothing. True if it raised: all that it raises is MemoryError."""

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = signature.args[1].types
        function_type = context.call_conv.get_function_type(types.none, kinds)
        function = builder.inttoptr(values[0], function_type.as_pointer())
        members = cgutils.unpack_tuple(builder, values[1])
        return context.call_conv.call_function(builder, function, types.none, kinds, members)[0].is_error

    return types.boolean(address, unliteral(args)), codegen
