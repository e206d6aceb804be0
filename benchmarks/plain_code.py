"""The rows of the ladder: each mechanism of the CPU backend, and plain code that does the same in its place.

The code is put in place in a process that has compiled no kernel yet. A name that is gone raises LookupError: the row
would compare the backend with itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial, wraps
from importlib import import_module
from pkgutil import walk_packages
from typing import Any, NamedTuple

import numpy as np

CPU = "minicnn.backends.cpu"


class Row(NamedTuple):
    """A mechanism, and what runs in its place."""

    without: str
    change: Callable[[], object]
    recompiles: bool = False
    """Whether other kernels are compiled."""
    training: bool = True
    inference: bool = True


def put_in_place(without: str) -> None:
    """Replace the mechanism of this row."""
    next(row for row in ROWS if row.without == without).change()


def _change(name: str, value: Any, package: str = CPU) -> None:
    """Give a name another value in every module of the package that has it. Raises LookupError if none has it."""
    for module in walk_packages(import_module(CPU).__path__, f"{CPU}."):
        import_module(module.name)
    modules = [module for path, module in sys.modules.items() if f"{path}.".startswith(f"{package}.")]
    having = [module for module in modules if hasattr(module, name)]
    if not having:
        raise LookupError(f"{package} has no {name} to change: the ladder has to follow the code.")
    for module in having:
        setattr(module, name, value)


def _change_network(name: str, method: Callable[..., Any]) -> None:
    """Give the class Network another method. Raises LookupError if it has none of this name."""
    network: Any = import_module("minicnn.network").Network
    if not hasattr(network, name):
        raise LookupError(f"Network has no {name} to change: the ladder has to follow the code.")
    setattr(network, name, method)


def _part(module: str, name: str) -> Any:
    return getattr(import_module(f"{CPU}.{module}"), name)


def _kernel(function: Any) -> Any:
    return _part("runtime.compile", "serial")(function)


def _constant(*change: Any) -> Callable[[], None]:
    return partial(_change, *change)


def _textbook(*operations: str) -> Callable[[], None]:
    """The textbook's operations, in training."""

    def change() -> None:
        from minicnn.backends import textbook

        for name in operations:
            _change(name, getattr(textbook, name))

    return change


# GEMM


def _plain_microkernels() -> None:
    """Loops over the same tiles; the compiler allocates registers for the sums."""
    MR, NR_BYTES = _part("gemm.microkernel", "MR"), _part("gemm.microkernel", "NR_BYTES")

    def loops(half, a, a_at, rows, row, cols, steps, b, b_at, b_step, start, start_at, start_step, floor, out, out_at,
              out_step):  # fmt: skip
        width = NR_BYTES // b.itemsize // (2 if half else 1)
        for r in range(MR):
            sums = out[out_at + r * out_step :][:width]
            for f in range(width):
                sums[f] = start[start_at + r * start_step + f]
            for k in range(steps):
                factor = a[a_at + rows[row + r] + cols[k]]
                terms = b[b_at + k * b_step :][:width]
                for f in range(width):
                    sums[f] += factor * terms[f]
            for f in range(width):
                sums[f] = max(sums[f], floor)

    _change("microkernel", _kernel(loops))


def _whole_tiles() -> None:
    """Rows filled up to whole tiles, so that none is half a tile."""
    tile_bytes = _part("gemm.microkernel", "NR_BYTES")
    filled_up = _part("runtime.compile", "shared")(
        lambda columns, itemsize: -(-columns * itemsize // tile_bytes) * tile_bytes // itemsize
    )
    _change("filled_up", filled_up)


def _separate_relu() -> None:
    """Bias in the GEMM, ReLU in a pass of its own."""
    conv, activations, inference = (import_module(f"{CPU}.{name}") for name in ("conv", "activations", "inference"))
    backward = conv.conv2d_backward

    def stages(shape, itemsize, weights, strides, padding, activation, training=False):
        first = conv_stages(shape, itemsize, weights, strides, padding, "linear")[0]
        return [first, *activations.stages((shape[0], *first.shape), itemsize, (), activation)]

    @wraps(backward)
    def conv2d_backward(dy, saved, need_dx=True):
        *others, y, strides, padding, activation = saved
        dz = activations.activate_backward(dy, y, activation)
        return backward(dz, (*others, y, strides, padding, "linear"), need_dx)

    conv_stages = conv.stages
    conv.stages = inference.STAGES["conv2d"] = stages
    _change("conv2d_backward", conv2d_backward)
    import_module("minicnn.backends.operations").assemble(CPU)


# Winograd


def _plain_transforms() -> None:
    """target = L · source · Rᵀ as loops over the channels of a vector."""
    transforms = import_module(f"{CPU}.convolution.transforms")
    vector_bytes = _part("runtime.vectors", "VECTOR_BYTES")

    def loops(forms: Any, add: bool = False) -> Any:
        (l0, r0), (l1, r1), (l2, r2) = ((np.ascontiguousarray(a), np.ascontiguousarray(b)) for a, b in forms)

        def transform(form, source, source_at, source_row, source_col, target, target_at, target_row, target_col):
            left, right = (l0, r0) if form == 0 else (l1, r1) if form == 1 else (l2, r2)
            lanes = vector_bytes // source.itemsize
            sums = np.empty(right.shape[1] * lanes, source.dtype)  # a row of L · source
            for i in range(left.shape[0]):
                sums[: right.shape[1] * lanes] = 0
                for k in range(left.shape[1]):
                    weight = source.dtype.type(left[i, k])
                    if weight != 0:
                        for j in range(right.shape[1]):
                            row = source[source_at + k * source_row + j * source_col :][:lanes]
                            total = sums[j * lanes :][:lanes]
                            for c in range(lanes):
                                total[c] += weight * row[c]
                for j in range(right.shape[0]):
                    out = target[target_at + i * target_row + j * target_col :][:lanes]
                    if not add:
                        out[:] = 0
                    for k in range(right.shape[1]):
                        weight = source.dtype.type(right[j, k])
                        if weight != 0:
                            total = sums[k * lanes :][:lanes]
                            for c in range(lanes):
                                out[c] += weight * total[c]

        return _kernel(transform)

    A_T, G, B_T = transforms._A_T, transforms._G, transforms._B_T
    for name, forms in (("input", B_T), ("kernel", G), ("output", A_T)):
        _change(f"{name}_transform", loops(forms))
        _change(f"{name}_adjoint", loops(transforms._adjoint(forms), add=name == "input"))


# passes over arrays


def _plain_pooling() -> None:
    """A loop over the channels for each cell of a window."""
    on_image, geometry, clear = (
        _part("pooling", "_on_image"),
        _part("executor", "geometry"),
        _part("gemm.gemm", "clear"),
    )
    share, parallel = _part("runtime.compile", "share"), _part("runtime.compile", "parallel")

    def pool(x, x_at, y, y_at, count, numbers):
        average, w = numbers[1] != 0, geometry(numbers[2:])
        for row in range(count * w.OH):
            for q in range(w.OW):
                first, rows, cols = on_image(row, q, w)
                best, part = y[y_at + (row * w.OW + q) * w.C :][: w.C], x.dtype.type(1) / x.dtype.type(rows * cols)
                if average:
                    best[:] = 0
                else:
                    best[:] = x[x_at + first :][: w.C]
                for i in range(rows):
                    for j in range(cols):
                        values = x[x_at + first + (i * w.W + j) * w.C :][: w.C]
                        for c in range(w.C):
                            wins = (not (values[c] <= best[c])) & (best[c] == best[c])
                            best[c] = best[c] + values[c] * part if average else values[c] if wins else best[c]

    def give_back(threads, thread, dy, x, y, dx, average, once, w):
        w, zero, one = geometry(w), dx.dtype.type(0), dx.dtype.type(1)
        first, last = share(w.N, threads, thread)
        rest = np.empty(w.C, dx.dtype)
        if not once:
            clear(dx, first * w.H * w.W * w.C, (last - first) * w.H * w.W * w.C)
        for row in range(first * w.OH, last * w.OH):
            for q in range(w.OW):
                cell, rows, cols = on_image(row, q, w)
                at, part = (row * w.OW + q) * w.C, one / dx.dtype.type(rows * cols) if average else one
                rest[:] = dy[at:][: w.C] * part
                largest = y[at:][: w.C]
                for i in range(rows):
                    for j in range(cols):
                        target = dx[cell + (i * w.W + j) * w.C :][: w.C]
                        values = target if average else x[cell + (i * w.W + j) * w.C :][: w.C]
                        for c in range(w.C):
                            hit = average or values[c] == largest[c] or values[c] != values[c]
                            mine = rest[c] if hit else zero
                            rest[c] = zero if hit and not average else rest[c]
                            target[c] = mine if once else target[c] + mine

    _change("_pool", _kernel(pool))
    _change("_give_back", parallel(give_back))


def _plain_load_dz() -> None:
    """A loop over the filters for each pixel of dz."""
    filled_up = _part("gemm.gemm", "filled_up")

    def load_dz(dy, y, relu, first, count, dz, HP, WP, dbias, w):
        F, zero, sums = filled_up(w.F, dz.itemsize), dz.dtype.type(0), np.empty(w.F, dz.dtype)
        for row in range(count * w.OH):
            n, p = divmod(row, w.OH)
            sums[:] = 0
            for q in range(w.OW):
                source, target = ((first * w.OH + row) * w.OW + q) * w.F, ((n * HP + p) * WP + q) * F
                d, output, out = dy[source:][: w.F], y[source:][: w.F], dz[target:][: w.F]
                for f in range(w.F):
                    out[f] = zero if relu and output[f] <= zero else d[f]
                    sums[f] += out[f]
            for f in range(w.F):
                dbias[f] += sums[f]

    _change("load_dz", _kernel(load_dz))


def _library_exponential() -> None:
    """The C library's, one number at a time."""
    _change("exp", _kernel(lambda x, like: np.exp(x)))
    _change("tanh", _kernel(lambda x, like: np.tanh(x)))


# how work is divided


def _one_block() -> None:
    """One block size for the whole network."""
    plan, most = _part("inference", "_plan"), _part("executor", "MAX_BLOCK")

    def one_group(*arguments: Any) -> Any:
        first, *others = plan(*arguments)
        block = min(stage.block or most for stage in (first, *others))
        return [first._replace(block=block), *(stage._replace(block=0) for stage in others)]

    _change("_plan", one_group)


def _layer_by_layer() -> None:
    _change_network("infer", lambda network, x: network.forward(x))


def _whole_batches() -> None:
    for name in ("BLOCK_BYTES", "BLOCK_TILES", "MAX_BLOCK"):
        _change(name, 2**40)


def _always_all_threads() -> None:
    _change("small", lambda *_: False)
    _change("MIN_PARALLEL_WORK", 0)


def _all_input_gradients() -> None:
    backward = import_module("minicnn.network").Network.backward
    _change_network("backward", lambda network, dy, need_dx=True: backward(network, dy))


def _anywhere() -> None:
    _change("empty", _kernel(lambda size, like: np.empty(size, like.dtype)))


ROWS = [
    Row("nothing: the whole backend", lambda: None),
    Row("compiled kernels (the textbook)", lambda: import_module("minicnn").use_backend("numpy")),
    Row("a second thread", lambda: import_module("minicnn").use_backend("numba", threads=1)),
    Row("the implicit GEMM (im2col and OpenBLAS)",
        _textbook("conv2d", "conv2d_backward", "dense", "dense_backward"), inference=False),
    Row("the microkernel (Numba loops)", _plain_microkernels, recompiles=True),
    Row("the half microkernel", _whole_tiles, recompiles=True),
    Row("ReLU in the epilogue (a pass of its own)", _separate_relu),
    Row("Winograd's minimal filtering", _constant("suits", lambda *_: False)),
    Row("Winograd's transforms in registers (Numba loops)", _plain_transforms, recompiles=True),
    Row("a cache line between points", _constant("POINT_GAP_BYTES", 0), recompiles=True),
    Row("batch norm and ReLU as one operation",
        _constant("with_activations", lambda *network: network, "minicnn"), inference=False),
    Row("vectors in pooling (Numba loops)", _plain_pooling, recompiles=True),
    Row("pooling's loops not unrolled (unrolled)",
        lambda: _change("short_loops", _kernel(lambda: None)), recompiles=True),
    Row("vectors in loading dz (Numba loops)", _plain_load_dz, recompiles=True, inference=False),
    Row("the vectorised exponential (the C library's)", _library_exponential, recompiles=True),
    Row("compiled batch norm (the textbook's)", _textbook("batch_norm", "batch_norm_backward"), inference=False),
    Row("compiled pooling (the textbook's)", _textbook("max_pool2d", "max_pool2d_backward"), inference=False),
    Row("compiled dropout (the textbook's)", _textbook("dropout", "dropout_backward"), inference=False),
    Row("compiled losses (the textbook's)",
        _textbook("softmax_crossentropy", "softmax_crossentropy_backward"), inference=False),
    Row("compiled optimisers (the textbook's)", _textbook("adam_step"), inference=False),
    Row("arrays that begin at a cache line (anywhere)", _anywhere, recompiles=True),
    Row("blocks that fit the cache (all samples at once)", _whole_batches, recompiles=True),
    Row("groups (one block size for the network)", _one_block, training=False),
    Row("depth first (layer by layer)", _layer_by_layer, training=False),
    Row("leaving out the first layer's input gradient", _all_input_gradients, inference=False),
    Row("short passes on one thread", _always_all_threads),
    Row("threads that spin briefly (OpenMP's default)", partial(os.environ.setdefault, "GOMP_SPINCOUNT", "300000")),
    Row("keeping freed memory", partial(os.environ.setdefault, "MALLOC_TOP_PAD_", str(128 * 1024))),
]  # fmt: skip
