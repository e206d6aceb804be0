"""Replaces cuBLAS: takes CuPy's calls for matrix products, which products.py computes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from .core import core
from .errors import PretendDeviceError
from .products import Product, dtype_of

OPERATIONS = {"CUBLAS_OP_N": 0, "CUBLAS_OP_T": 1, "CUBLAS_OP_C": 2}
COMPUTE_TYPES = {
    "CUBLAS_COMPUTE_32F": 68,
    "CUBLAS_COMPUTE_32F_PEDANTIC": 69,
    "CUBLAS_COMPUTE_64F": 70,
    "CUBLAS_COMPUTE_64F_PEDANTIC": 71,
    "CUBLAS_COMPUTE_32F_FAST_TF32": 77,  # computed in full precision here
}
ALGORITHMS = {"CUBLAS_GEMM_DEFAULT": -1, "CUBLAS_GEMM_DFALT": -1, "CUBLAS_GEMM_DEFAULT_TENSOR_OP": 99}
POINTER_MODES = {"CUBLAS_POINTER_MODE_HOST": 0, "CUBLAS_POINTER_MODE_DEVICE": 1}
MATH_MODES = {"CUBLAS_DEFAULT_MATH": 0, "CUBLAS_TENSOR_OP_MATH": 1}
FLOAT, DOUBLE = 0, 1
TYPES_OF_FACTORS = {68: FLOAT, 69: FLOAT, 77: FLOAT, 70: DOUBLE, 71: DOUBLE, FLOAT: FLOAT, DOUBLE: DOUBLE}


def type_of_factors(compute_type: int) -> int:
    """The type of alpha and beta; older interfaces give a data type instead of the compute type."""
    if compute_type not in TYPES_OF_FACTORS:
        raise PretendDeviceError(
            f"cuBLAS: expected to compute in float32 or float64, found compute type {compute_type}."
        )
    return TYPES_OF_FACTORS[compute_type]


def scalar(address: int, code: int) -> float:
    """alpha or beta, which are in the host's memory."""
    kind = ctypes.c_double if code == DOUBLE else ctypes.c_float
    return kind.from_address(address).value


def submit(work: Callable[[], None]) -> None:
    core().mock_submit_cublas(work)


def gemm_ex(
    handle, ta, tb, m, n, k, alpha, a, a_type, lda, b, b_type, ldb, beta, c, c_type, ldc, compute_type, algorithm
):
    factors = type_of_factors(compute_type)
    product = Product(ta, tb, m, n, k, scalar(alpha, factors), scalar(beta, factors), (a_type, b_type, c_type))
    submit(partial(product.multiply, a, lda, b, ldb, c, ldc))


def gemm(code, handle, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
    product = Product(ta, tb, m, n, k, scalar(alpha, code), scalar(beta, code), (code, code, code))
    submit(partial(product.multiply, a, lda, b, ldb, c, ldc))


def strided(product, batch, places):
    """A batch of products: `places` has (address, ld, bytes from one matrix to the next) for A, B and C."""
    for i in range(batch):
        product.multiply(*(number for address, ld, step in places for number in (address + i * step, ld)))


def gemm_strided_batched_ex(
    handle, ta, tb, m, n, k, alpha, a, a_type, lda, step_a, b, b_type, ldb, step_b, beta,
    c, c_type, ldc, step_c, batch, compute_type, algorithm,
):  # fmt: skip
    factors = type_of_factors(compute_type)
    types = (a_type, b_type, c_type)
    product = Product(ta, tb, m, n, k, scalar(alpha, factors), scalar(beta, factors), types)
    sizes = [dtype_of(code).itemsize for code in types]
    places = [(a, lda, step_a * sizes[0]), (b, ldb, step_b * sizes[1]), (c, ldc, step_c * sizes[2])]
    submit(partial(strided, product, batch, places))


def gemm_strided_batched(
    code, handle, ta, tb, m, n, k, alpha, a, lda, step_a, b, ldb, step_b, beta, c, ldc, step_c, batch
):
    size = dtype_of(code).itemsize
    product = Product(ta, tb, m, n, k, scalar(alpha, code), scalar(beta, code), (code, code, code))
    submit(
        partial(strided, product, batch, [(a, lda, step_a * size), (b, ldb, step_b * size), (c, ldc, step_c * size)])
    )


def by_pointers(product, batch, places):
    """A batch of products whose matrices' addresses are in the device's memory: (address of addresses, ld)."""
    lists = [(ctypes.c_ssize_t * batch).from_address(address) for address, _ in places]
    for addresses in zip(*lists, strict=True):
        product.multiply(
            *(number for address, (_, ld) in zip(addresses, places, strict=True) for number in (address, ld))
        )


def gemm_batched(code, handle, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, batch):
    product = Product(ta, tb, m, n, k, scalar(alpha, code), scalar(beta, code), (code, code, code))
    submit(partial(by_pointers, product, batch, [(a, lda), (b, ldb), (c, ldc)]))


class CUBLASError(RuntimeError):
    """What cuBLAS's functions raise in CuPy."""


class Cublas(ModuleType):
    """The module that CuPy imports; functions that it lacks raise when they are called."""

    CUBLASError = CUBLASError

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise PretendDeviceError(f"the pretend device has no cuBLAS {name}. Use a matrix product (@), or a kernel.")


def stand_in(name: str) -> ModuleType:
    """The module for CuPy to import by this name."""
    module = Cublas(name)
    vars(module).update(OPERATIONS | COMPUTE_TYPES | ALGORITHMS | POINTER_MODES | MATH_MODES)
    vars(module).update(
        create=lambda: 1,
        destroy=lambda handle: None,
        setStream=lambda handle, stream: None,
        setMathMode=lambda handle, mode: None,
        getMathMode=lambda handle: 0,
        setPointerMode=set_pointer_mode,
        getPointerMode=lambda handle: POINTER_MODES["CUBLAS_POINTER_MODE_HOST"],
        gemmEx=gemm_ex,
        sgemm=partial(gemm, FLOAT),
        dgemm=partial(gemm, DOUBLE),
        gemmStridedBatchedEx=gemm_strided_batched_ex,
        sgemmStridedBatched=partial(gemm_strided_batched, FLOAT),
        dgemmStridedBatched=partial(gemm_strided_batched, DOUBLE),
        sgemmBatched=partial(gemm_batched, FLOAT),
        dgemmBatched=partial(gemm_batched, DOUBLE),
    )
    return module


def set_pointer_mode(handle: int, mode: int) -> None:
    if mode != POINTER_MODES["CUBLAS_POINTER_MODE_HOST"]:
        raise PretendDeviceError("cuBLAS: alpha and beta must lie in the host's memory here.")
