"""Mistakes in the backward of a convolution: in loops over windows, in im2col and col2im, in strides and padding."""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np

from ..known.convolution import Convolution
from .catalogue import Array, mistake

DX = "dx[window] += kernel · dz for each output, += because windows overlap; then the padding is removed"
DKERNEL = "dkernel = Σ window · dz over all samples and positions, with the forward's padded windows"
DBIAS = "dbias = Σ dz over samples, rows and columns"

of_dx = partial(mistake, of=[Convolution], gradient="x", formula=DX)
of_dkernel = partial(mistake, of=[Convolution], gradient="kernel", formula=DKERNEL)
of_dbias = partial(mistake, of=[Convolution], gradient="bias", formula=DBIAS)


# dx


def assigned(op: Convolution, contributions: Array) -> Array:
    """col2im with = for +=, window after window: contributions (N, OH, OW, KH, KW, C) -> dx."""
    dpadded = np.zeros(op.windows.padded(op.x).shape)
    for (p, q), rows, cols in op.windows.places():
        dpadded[:, rows, cols] = contributions[:, p, q]
    return op.windows.crop(dpadded, op.x)


@of_dx(experiment="Use a stride as large as the kernel: is it right then?")
def dx_assigned(op: Convolution, dy: Array) -> Array:
    """dx is written with = where += belongs: of overlapping windows only the last one counts."""
    return assigned(op, np.tensordot(op.upstream(dy), op.kernel, (3, 3)))


@of_dx(
    experiment="Use a single filter and a stride as large as the kernel: is it right then?", variants=("first", "last")
)
def dx_assigned_in_loop_over_filters(op: Convolution, dy: Array, which: str) -> Array:
    """dx is written with = where += belongs: of overlapping windows only the last one counts, and only the {variant}
    filter."""
    f = 0 if which == "first" else -1
    return assigned(op, op.upstream(dy)[..., f][..., None, None, None] * op.kernel[..., f])


@of_dx(experiment="Use a stride as large as the kernel: is it right then?")
def col2im_assigned(op: Convolution, dy: Array) -> Array:
    """col2im writes with = where += belongs: in a loop over the kernel's entries only the last one counts."""
    contributions = np.tensordot(op.upstream(dy), op.kernel, (3, 3))
    (KH, KW), (SH, SW), (OH, OW) = op.windows.size, op.windows.strides, op.windows.outputs
    dpadded = np.zeros(op.windows.padded(op.x).shape)
    for i, j in product(range(KH), range(KW)):
        dpadded[:, i : i + SH * OH : SH, j : j + SW * OW : SW] = contributions[:, :, :, i, j]
    return op.windows.crop(dpadded, op.x)


@of_dx(experiment="Check it with a kernel that has a single 1, in a corner.", variants=[(0, 1), (0,), (1,)])
def kernel_flipped(op: Convolution, dy: Array, axes: tuple[int, ...]) -> Array:
    """It would be right if the kernel were reversed along its axes {variant} (both: turned by 180°). Sliding over dy
    needs the turned kernel; adding windows needs it as it is."""
    return op.dx(op.upstream(dy), np.flip(op.kernel, axes))


@of_dx(experiment="Take more filters than channels: the shapes will not fit.")
def kernel_channels_exchanged(op: Convolution, dy: Array) -> Array:
    """It would be right if the kernel's input channels and filters were exchanged."""
    return op.dx(op.upstream(dy), op.kernel.swapaxes(2, 3))


@of_dx(experiment="Take more filters than channels: the shapes will not fit.")
def kernel_flipped_and_exchanged(op: Convolution, dy: Array) -> Array:
    """It would be right if the kernel were turned by 180° and its input channels and filters were exchanged."""
    return op.dx(op.upstream(dy), op.kernel[::-1, ::-1].swapaxes(2, 3))


@of_dx(experiment="Take a kernel that is not square.")
def kernel_rows_and_columns_exchanged(op: Convolution, dy: Array) -> Array:
    """It would be right if the kernel's rows and columns were exchanged."""
    return op.dx(op.upstream(dy), op.kernel.swapaxes(0, 1))


def resized(op: Convolution, dz: Array, strides: tuple[int, int]) -> Array:
    """dx with other strides in the backward than in the forward."""
    dpadded = np.zeros(op.windows.padded(op.x).shape)
    contributions = np.tensordot(dz, op.kernel, (3, 3))
    for (p, q), rows, cols in op.windows.but(strides=strides).places():
        part = dpadded[:, rows, cols]
        part += contributions[:, p, q, : part.shape[1], : part.shape[2]]
    return op.windows.crop(dpadded, op.x)


@of_dx(experiment="Use stride 1 in the forward, too: is it right then?")
def dx_stride_ignored(op: Convolution, dy: Array) -> Array:
    """The stride is forgotten: the windows of the backward begin at p, where those of the forward begin at p ·
    stride."""
    _strided(op)
    return resized(op, op.upstream(dy), (1, 1))


@of_dx(experiment="Use equal strides for rows and columns: is it right then?")
def dx_strides_exchanged(op: Convolution, dy: Array) -> Array:
    """The strides of rows and columns are exchanged."""
    _unequal(op.windows.strides)
    return resized(op, op.upstream(dy), op.windows.strides[::-1])


@of_dx(experiment="Use a stride as large as the kernel: is it right then?")
def dx_stride_of_kernel(op: Convolution, dy: Array) -> Array:
    """The windows of the backward lie side by side, at p · kernel size, where those of the forward begin at
    p · stride."""
    return resized(op, op.upstream(dy), op.windows.size)


CROPS = [(a, b) for a in range(-2, 4) for b in range(-2, 4) if (a, b) != (0, 0)]


@of_dx(
    experiment="dx = dpadded[:, pad:pad + H, pad:pad + W]: check both ends on an image with a single 1.", variants=CROPS
)
def padding_removed_at_wrong_place(op: Convolution, dy: Array, move: tuple[int, int]) -> Array:
    """The padding is removed at the wrong place: dx begins {variant} rows and columns too late in the padded image."""
    dpadded = np.zeros(op.windows.padded(op.x).shape)
    contributions = np.tensordot(op.upstream(dy), op.kernel, (3, 3))
    for (p, q), rows, cols in op.windows.places():
        dpadded[:, rows, cols] += contributions[:, p, q]
    (top, left), (H, W) = op.windows.padding, op.x.shape[1:3]
    return (
        dpadded[:, top + move[0] :, left + move[1] :][:, :H, :W] if min(top + move[0], left + move[1]) >= 0 else _no()
    )


@of_dx(experiment="Compare the borders with the inside.", variants=("zero", "nearest"))
def dx_of_valid_positions(op: Convolution, dy: Array, how: str) -> Array:
    """Border pixels get no gradient: only pixels in the middle of a window that fits are computed."""
    if how != "zero":
        raise ValueError
    dx = op.dx(op.upstream(dy))
    (KH, KW), inside = op.windows.size, np.zeros_like(dx)
    rows, cols = slice(KH - 1, dx.shape[1] - KH + 1), slice(KW - 1, dx.shape[2] - KW + 1)
    inside[:, rows, cols] = dx[:, rows, cols]
    return inside


@of_dx(experiment="Use a single channel: is it right then?", variants=("sum", "mean"))
def dx_channels_summed(op: Convolution, dy: Array, how: str) -> Array:
    """Every channel gets the {variant} over the channels."""
    dx = op.dx(op.upstream(dy))
    return np.broadcast_to(getattr(dx, how)(axis=3, keepdims=True), dx.shape)


@of_dx(experiment="Use a single channel: is it right then?", variants=("first", "last"))
def dx_one_channel(op: Convolution, dy: Array, which: str) -> Array:
    """Only the {variant} channel gets a gradient."""
    dx, c = op.dx(op.upstream(dy)), 0 if which == "first" else -1
    only = np.zeros_like(dx)
    only[..., c] = dx[..., c]
    return only if dx.shape[3] > 1 else _no()


@of_dx(experiment="Use a single channel: is it right then?", variants=("first", "last"))
def kernel_of_one_channel(op: Convolution, dy: Array, which: str) -> Array:
    """The {variant} channel's kernel is used for all channels."""
    c = [0 if which == "first" else -1]
    return op.dx(op.upstream(dy), np.broadcast_to(op.kernel[:, :, c], op.kernel.shape))


@of_dx(experiment="Use a single filter: is it right then?", variants=("first", "last"))
def kernel_of_one_filter(op: Convolution, dy: Array, which: str) -> Array:
    """The {variant} filter's kernel is used for all filters."""
    f = [0 if which == "first" else -1]
    return op.dx(op.upstream(dy), np.broadcast_to(op.kernel[..., f], op.kernel.shape))


@of_dx(experiment="Use a 1 × 1 kernel: is it right then?", variants=("first", "last"))
def one_kernel_entry(op: Convolution, dy: Array, which: str) -> Array:
    """Only the {variant} row and column of the kernel are used: the loop over its entries overwrites or stops."""
    only, k = np.zeros_like(op.kernel), 0 if which == "first" else -1
    only[k, k] = op.kernel[k, k]
    return op.dx(op.upstream(dy), only)


@of_dx(
    experiment="Check the bounds of the loop over the kernel.",
    variants=[(end, axis) for end in ("first", "last") for axis in ("row", "column", "channel")],
)
def kernel_loop_misses_one(op: Convolution, dy: Array, which: tuple[str, str]) -> Array:
    """The {variant[0]} {variant[1]} of the kernel is not used in dx: a loop stops too early or starts too late."""
    return op.dx(op.upstream(dy), without(op.kernel, *which))


@of_dx(experiment="Padded pixels are not pixels of x: remove the padding.")
def reflected_padding(op: Convolution, dy: Array) -> Array:
    """The gradient of the padding is added to the border pixels, as if the padding repeated them."""
    dpadded = np.zeros(op.windows.padded(op.x).shape)
    contributions = np.tensordot(op.upstream(dy), op.kernel, (3, 3))
    for (p, q), rows, cols in op.windows.places():
        dpadded[:, rows, cols] += contributions[:, p, q]
    (top, left), (H, W) = op.windows.padding, op.x.shape[1:3]
    if not top + left:
        raise ValueError
    dx = np.zeros(op.x.shape)
    for i, j in product(*map(range, dpadded.shape[1:3])):
        dx[:, min(max(i - top, 0), H - 1), min(max(j - left, 0), W - 1)] += dpadded[:, i, j]
    return dx


@of_dx(experiment="Remove the bias from dx.")
def bias_in_dx(op: Convolution, dy: Array) -> Array:
    """The bias is used in dx: dx does not depend on it."""
    if op.bias is None:
        raise ValueError
    return op.dx(op.upstream(dy)) + op.bias.sum()


@of_dx(experiment="Write dx with a single window and a single filter first.")
def kernel_summed_over_window(op: Convolution, dy: Array) -> Array:
    """Every pixel of a window gets the sum over the kernel's window, where it gets the kernel's entry at its place."""
    return op.dx(op.upstream(dy), np.broadcast_to(op.kernel.sum(axis=(0, 1)), op.kernel.shape))


# im2col rows and columns

ORDERS = [(2, 0, 1), (1, 2, 0), (1, 0, 2), (0, 2, 1), (2, 1, 0)]
"""Other orders of a window's axes than (row, column, channel)."""


@of_dx(
    experiment="Reshape the columns with the axes in which im2col filled them.",
    variants=ORDERS,
)
def columns_reshaped_in_other_order(op: Convolution, dy: Array, order: tuple[int, ...]) -> Array:
    """The columns' gradient is reshaped with the window's axes (row, column, channel) in the order {variant}, which is
    not the order of im2col."""
    contributions = np.tensordot(op.upstream(dy), op.kernel, (3, 3))
    window = contributions.shape[3:]
    turned = contributions.reshape(*contributions.shape[:3], *(window[axis] for axis in order))
    return op.windows.scatter(turned.transpose(0, 1, 2, *(3 + np.argsort(order))), op.x)


def reordered(op: Convolution, dkernel: Array, order: tuple[int, ...]) -> Array:
    """dkernel (KH, KW, C, F), its window's axes read in another order."""
    KH, KW, C, F = dkernel.shape
    turned = tuple((KH, KW, C)[axis] for axis in order)
    return dkernel.reshape(*turned, F).transpose(*np.argsort(order), 3)


@of_dkernel(
    experiment="Reshape dkernel with the axes in which im2col filled its columns.",
    variants=ORDERS,
)
def dkernel_reshaped_in_other_order(op: Convolution, dy: Array, order: tuple[int, ...]) -> Array:
    """dkernel is reshaped with the window's axes (row, column, channel) in the order {variant}, which is not the order
    of im2col."""
    return reordered(op, op.dkernel(op.upstream(dy)), order)


@of_dkernel(
    experiment="Transpose dkernel to the order of its axes before the reshape, or reshape to im2col's order.",
    variants=ORDERS,
)
def dkernel_columns_in_other_order(op: Convolution, dy: Array, order: tuple[int, ...]) -> Array:
    """The columns' axes (row, column, channel) lie in the order {variant}, and dkernel is reshaped without transposing
    it back."""
    g = op.dkernel(op.upstream(dy))
    return g.transpose(*order, 3).reshape(g.shape)


@of_dkernel(experiment="Reshape as (in …, out), then transpose.")
def dkernel_filters_first(op: Convolution, dy: Array) -> Array:
    """dkernel lies with the filters first, and is reshaped without transposing it."""
    g = op.dkernel(op.upstream(dy))
    return g.transpose(3, 0, 1, 2).reshape(g.shape)


# dkernel


def positions(op: Convolution, dz: Array, n: int, p: int, q: int) -> Array:
    return op.as_given(np.multiply.outer(op.columns[n, p, q], dz[n, p, q]))


@of_dkernel(experiment="Inside the loops, add with +=, and set dkernel to zero before them.")
def dkernel_assigned(op: Convolution, dy: Array) -> Array:
    """dkernel is written with = where += belongs: only the last sample's last window counts."""
    return positions(op, op.upstream(dy), -1, -1, -1)


@of_dkernel(experiment="Is dkernel set to zero inside a loop?")
def dkernel_of_last_window_of_each(op: Convolution, dy: Array) -> Array:
    """Only the last window of each sample counts: dkernel is overwritten in the loop over the positions."""
    dz = op.upstream(dy)
    only = np.zeros_like(dz)
    only[:, -1, -1] = dz[:, -1, -1]
    return op.dkernel(only)


@of_dkernel(experiment="Use padding 0: is it right then?")
def dkernel_without_padding(op: Convolution, dy: Array) -> Array:
    """The windows are cut from x without its padding, where the forward cuts them from the padded x."""
    if not sum(op.windows.padding):
        raise ValueError
    end = np.pad(op.x, ((0, 0), (0, 9), (0, 9), (0, 0)))
    return op.dkernel(op.upstream(dy), op.windows.cut(end))


@of_dkernel(experiment="Use padding 0: is it right then?")
def dkernel_without_padding_full_windows(op: Convolution, dy: Array) -> Array:
    """The windows are cut from x without its padding, and windows that do not fit are left out."""
    if not sum(op.windows.padding):
        raise ValueError
    (KH, KW), (SH, SW), (OH, OW) = op.windows.size, op.windows.strides, op.windows.outputs
    H, W = op.x.shape[1:3]
    end = np.pad(op.x, ((0, 0), (0, 9), (0, 9), (0, 0)))
    fits = np.ones((1, OH, OW, 1))
    fits[:, np.arange(OH) * SH + KH > H] = 0
    fits[:, :, np.arange(OW) * SW + KW > W] = 0
    return op.dkernel(op.upstream(dy) * fits, op.windows.cut(end))


@of_dkernel(experiment="Use stride 1 in the forward, too: is it right then?")
def dkernel_stride_ignored(op: Convolution, dy: Array) -> Array:
    """The stride is forgotten: the windows of the backward begin at p, where those of the forward begin at p ·
    stride."""
    _strided(op)
    return op.dkernel(op.upstream(dy), op.windows.but(strides=(1, 1)).cut(op.windows.padded(op.x)))


@of_dkernel(experiment="Use equal strides for rows and columns: is it right then?")
def dkernel_strides_exchanged(op: Convolution, dy: Array) -> Array:
    """The strides of rows and columns are exchanged."""
    _unequal(op.windows.strides)
    larger = np.pad(op.windows.padded(op.x), ((0, 0), (0, 30), (0, 30), (0, 0)))
    return op.dkernel(op.upstream(dy), op.windows.but(strides=op.windows.strides[::-1]).cut(larger))


@of_dkernel(experiment="Use x[n] in the loop over the samples.", variants=("first", "last"))
def dkernel_one_x_for_all(op: Convolution, dy: Array, which: str) -> Array:
    """The {variant} sample's x is used for all samples."""
    n = [0 if which == "first" else -1]
    return op.dkernel(op.upstream(dy), np.broadcast_to(op.columns[n], op.columns.shape))


@of_dkernel(experiment="Use a single channel: is it right then?", variants=("first", "last"))
def dkernel_one_channel_of_x(op: Convolution, dy: Array, which: str) -> Array:
    """The {variant} channel of x is used for all channels."""
    c = [0 if which == "first" else -1]
    return op.dkernel(op.upstream(dy), np.broadcast_to(op.columns[..., c], op.columns.shape))


@of_dkernel(experiment="Use a single channel: is it right then?", variants=("sum", "mean"))
def dkernel_channels_summed(op: Convolution, dy: Array, how: str) -> Array:
    """Every channel gets the {variant} over the channels."""
    g = op.dkernel(op.upstream(dy))
    return np.broadcast_to(getattr(g, how)(axis=2, keepdims=True), g.shape)


@of_dkernel(experiment="Use a single filter: is it right then?", variants=("sum", "mean"))
def dkernel_filters_summed(op: Convolution, dy: Array, how: str) -> Array:
    """Every filter gets the {variant} over the filters."""
    g = op.dkernel(op.upstream(dy))
    return np.broadcast_to(getattr(g, how)(axis=3, keepdims=True), g.shape)


@of_dkernel(experiment="Check it with a kernel that has a single 1, in a corner.", variants=[(0, 1), (0,), (1,)])
def dkernel_flipped(op: Convolution, dy: Array, axes: tuple[int, ...]) -> Array:
    """dkernel is reversed along the kernel's axes {variant} (both: turned by 180°)."""
    return np.flip(op.dkernel(op.upstream(dy)), axes)


@of_dkernel(experiment="Take more filters than channels: the shapes will not fit.")
def dkernel_channels_exchanged(op: Convolution, dy: Array) -> Array:
    """dkernel's input channels and filters are exchanged."""
    return op.dkernel(op.upstream(dy)).swapaxes(2, 3)


@of_dkernel(experiment="Take a kernel that is not square.")
def dkernel_rows_and_columns_exchanged(op: Convolution, dy: Array) -> Array:
    """dkernel's rows and columns are exchanged."""
    return op.dkernel(op.upstream(dy)).swapaxes(0, 1)


@of_dkernel(experiment="Use a 1 × 1 kernel: is it right then?")
def dkernel_of_window_sum(op: Convolution, dy: Array) -> Array:
    """Every entry of the kernel gets the same gradient, of the window's sum."""
    columns = op.columns.sum(axis=(3, 4), keepdims=True)
    return op.dkernel(op.upstream(dy), np.broadcast_to(columns, op.columns.shape))


@of_dkernel(
    experiment="Add the derivative of a penalty only if the forward has the penalty.",
    variants=(1e-4, 1e-3, 0.01, 0.1, 0.5, 1.0),
)
def decay_added(op: Convolution, dy: Array, strength: float) -> Array:
    """The kernel times {variant} is added, the gradient of a penalty that the forward does not have."""
    return op.dkernel(op.upstream(dy)) + strength * op.as_given(op.kernel)


# dbias


@of_dbias(experiment="Inside the loops, add with +=.")
def dbias_assigned(op: Convolution, dy: Array) -> Array:
    """dbias is written with = where += belongs: only the last sample's last position counts."""
    return op.upstream(dy)[-1, -1, -1]


@of_dbias(experiment="Sum over samples, rows and columns.")
def dbias_of_last_position(op: Convolution, dy: Array) -> Array:
    """Only the last position of each sample counts."""
    return op.upstream(dy)[:, -1, -1].sum(axis=0)


@of_dbias(experiment="Check the axes of the sum: all but the filters'.")
def dbias_summed_over_all(op: Convolution, dy: Array) -> Array:
    """dbias is the sum of all of dz, the same for every filter."""
    return np.full(op.kernel.shape[3], op.upstream(dy).sum())


@of_dbias(experiment="np.max is not np.sum.")
def dbias_maximum(op: Convolution, dy: Array) -> Array:
    """dbias is the largest dz, not their sum."""
    return op.upstream(dy).max(axis=(0, 1, 2))


@of_dbias(experiment="The derivative of z with respect to the bias is 1.")
def dbias_times_bias(op: Convolution, dy: Array) -> Array:
    """dbias is multiplied by the bias itself."""
    return op.upstream(dy).sum(axis=(0, 1, 2)) * (_no() if op.bias is None else op.bias)


@of_dbias(experiment="The derivative of z with respect to the bias is 1.")
def dbias_times_x(op: Convolution, dy: Array) -> Array:
    """dz is multiplied by the window's sum, as for a kernel, where the derivative is 1."""
    return np.tensordot(op.columns.sum(axis=(3, 4, 5)), op.upstream(dy), 3)


def without(kernel: Array, end: str, axis: str) -> Array:
    """The kernel with zeros in its first or last row, column or input channel."""
    less = kernel.copy()
    place = ("row", "column", "channel").index(axis)
    if kernel.shape[place] < 2:
        raise ValueError
    np.moveaxis(less, place, 0)[0 if end == "first" else -1] = 0
    return less


def _strided(op: Convolution) -> None:
    if op.windows.strides == (1, 1) or op.windows.outputs == (1, 1):
        raise ValueError


def _unequal(pair: tuple[int, int]) -> None:
    if pair[0] == pair[1]:
        raise ValueError


def _no() -> Array:
    raise ValueError("nothing to compare with")
