"""Replaces CuPy's entry points to CUDA by the device's own.

CuPy's Cython modules call CUDA through two of them, `runtime` and `driver`, which offer C functions to the others: each
is a capsule with a pointer, named by its signature. Every other module copies the pointers when it is imported. So the
pointers must be swapped before that, and only where the signatures are those that the core was written for.
"""

from __future__ import annotations

import ctypes
import re
from types import ModuleType
from typing import Any

from .core import core
from .errors import PretendDeviceError
from .signatures import EntryPoint, entry_points

TYPES = {
    "PyObject *": ctypes.py_object,
    "int": ctypes.c_int,
    "intptr_t": ctypes.c_ssize_t,
    "size_t": ctypes.c_size_t,
    "unsigned int": ctypes.c_uint,
    "float": ctypes.c_float,
}

capsule_name = ctypes.pythonapi.PyCapsule_GetName
capsule_name.restype, capsule_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
set_capsule_pointer = ctypes.pythonapi.PyCapsule_SetPointer
set_capsule_pointer.argtypes = [ctypes.py_object, ctypes.c_void_p]


def swap(modules: dict[str, ModuleType]) -> None:
    """Replaces the entry points of `runtime` and `driver`."""
    check_signatures(modules)
    for entry_point in entry_points():
        if entry_point.treatment != "kept":
            swap_entry_point(modules[entry_point.module], entry_point)


def check_signatures(modules: dict[str, ModuleType]) -> None:
    """Raises unless CuPy's entry points are exactly those of signatures.txt."""
    expected = {(entry_point.module, entry_point.function): entry_point.signature for entry_point in entry_points()}
    found = {
        (name, function): capsule_name(capsule).decode()
        for name, module in modules.items()
        for function, capsule in module.__pyx_capi__.items()
    }
    changed = [
        f"  {module}.{function}: expected {expected.get((module, function))}, found {found.get((module, function))}"
        for module, function in sorted(expected.keys() | found.keys())
        if expected.get((module, function)) != found.get((module, function))
    ]
    if changed:
        listed = "\n".join(changed)
        raise PretendDeviceError(
            f"pretend device: CuPy's entry points to CUDA have changed:\n{listed}\n"
            "Update tests/mockgpu/signatures.txt and core/, or install the version that pyproject.toml names."
        )


def swap_entry_point(module: ModuleType, entry_point: EntryPoint) -> None:
    answer = getattr(core(), entry_point.symbol)
    set_capsule_pointer(module.__pyx_capi__[entry_point.function], ctypes.cast(answer, ctypes.c_void_p))
    if hasattr(module, entry_point.function):  # Python code finds it by its name
        setattr(module, entry_point.function, python_function(entry_point, answer))


def python_function(entry_point: EntryPoint, answer: Any) -> Any:
    if entry_point.treatment == "refused":
        refuse = ctypes.PYFUNCTYPE(ctypes.py_object)(ctypes.cast(answer, ctypes.c_void_p).value)
        return lambda *arguments, **options: refuse()
    parameters, options = parameters_of(entry_point.signature)
    result = TYPES[entry_point.result]
    prototype = ctypes.PYFUNCTYPE(result, *parameters, ctypes.c_int, *[ctypes.c_void_p] * options)
    call = prototype(ctypes.cast(answer, ctypes.c_void_p).value)
    count = len(parameters)
    return lambda *arguments: call(*arguments[:count], 0, *[None] * options)


def parameters_of(signature: str) -> tuple[list[Any], int]:
    """The types of the parameters that Python code gives, and how many pointers to further options follow."""
    inside = signature.partition("(")[2].removesuffix(")")
    given, _, rest = inside.partition("int __pyx_skip_dispatch")
    names = [re.sub(r"\s+", " ", part).strip() for part in given.split(",") if part.strip() not in ("", "void")]
    return [TYPES[name] for name in names], int("__pyx_optional_args" in rest)
