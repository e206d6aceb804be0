"""Mistakes in the backward of max and average pooling."""

from __future__ import annotations

from functools import partial

import numpy as np

from ..known.pooling import AveragePooling, MaxPooling, Pooling
from .catalogue import Array, mistake

MAX = "dx[winner of each window] += dy, += because a pixel can win several windows"
MEAN = "dx[window] += dy / (number of its entries)"

of_max = partial(mistake, of=[MaxPooling], gradient="x", formula=MAX)
of_mean = partial(mistake, of=[AveragePooling], gradient="x", formula=MEAN)


def assigned(op: Pooling, contributions: Array) -> Array:
    """Whole windows written with =, one after the other."""
    dpadded = np.zeros(op.windows.padded(op.x).shape)
    for (p, q), rows, cols in op.windows.places():
        dpadded[:, rows, cols] = contributions[:, p, q]
    return op.windows.crop(dpadded, op.x)


def winners(op: MaxPooling) -> Array:
    return op.cells.argmax(axis=3)


@of_max(experiment="Use a stride as large as the window: is it right then?")
def window_assigned(op: MaxPooling, dy: Array) -> Array:
    """Windows are written with = where += belongs: of overlapping windows the last one wins, its zeros too."""
    return assigned(op, op.place(winners(op), dy))


@of_max(experiment="Use a stride as large as the window: is it right then?")
def winner_assigned(op: MaxPooling, dy: Array) -> Array:
    """dx[winner] is written with = where += belongs: a pixel that wins several windows keeps only the last one's dy."""
    contributions = op.place(winners(op), dy)
    won = op.place(winners(op), np.ones_like(dy)) > 0
    dpadded = np.zeros(op.windows.padded(op.x).shape)
    for (p, q), rows, cols in op.windows.places():
        part = dpadded[:, rows, cols]
        part[won[:, p, q]] = contributions[:, p, q][won[:, p, q]]
    return op.windows.crop(dpadded, op.x)


@of_max(experiment="Use a stride as large as the window: is it right then?")
def col2im_assigned(op: MaxPooling, dy: Array) -> Array:
    """col2im writes with = where += belongs: in a loop over the window's cells the last cell wins."""
    return cells_assigned(op, op.place(winners(op), dy))


def cells_assigned(op: Pooling, contributions: Array) -> Array:
    (KH, KW), (SH, SW), (OH, OW) = op.windows.size, op.windows.strides, op.windows.outputs
    dpadded = np.zeros(op.windows.padded(op.x).shape)
    for i in range(KH):
        for j in range(KW):
            dpadded[:, i : i + SH * OH : SH, j : j + SW * OW : SW] = contributions[:, :, :, i, j]
    return op.windows.crop(dpadded, op.x)


@of_max(experiment="Print one window and its dx.")
def argmin(op: MaxPooling, dy: Array) -> Array:
    """dy goes to the smallest entry of each window, not to the largest."""
    cells = np.where(np.isinf(op.cells), np.inf, op.cells)
    return op.windows.scatter(op.place(cells.argmin(axis=3), dy), op.x)


@of_max(experiment="Print one window and its dx.")
def whole_window(op: MaxPooling, dy: Array) -> Array:
    """dy goes to every entry of the window, not to its largest alone."""
    return op.windows.scatter(op.as_columns(np.ones_like(op.cells) * dy[:, :, :, None]), op.x)


@of_max(experiment="Print one window and its dx.")
def mean_of_window(op: MaxPooling, dy: Array) -> Array:
    """dy is spread evenly over the window, as for average pooling."""
    n = op.cells.shape[3]
    return op.windows.scatter(op.as_columns(np.ones_like(op.cells) * dy[:, :, :, None] / n), op.x)


@of_max(experiment="Print one window and its dx.", variants=("first", "last"))
def one_cell_of_window(op: MaxPooling, dy: Array, which: str) -> Array:
    """dy always goes to the {variant} entry of the window."""
    index = np.full(dy.shape, 0 if which == "first" else op.cells.shape[3] - 1)
    return op.windows.scatter(op.place(index, dy), op.x)


@of_max(experiment="Use divmod(index, window width), or np.unravel_index(index, (height, width)).")
def row_and_column_exchanged(op: MaxPooling, dy: Array) -> Array:
    """The winner's row and column are exchanged."""
    KH, KW = op.windows.size
    i, j = np.divmod(winners(op), KW)
    if max(i.max(), j.max()) >= min(KH, KW):
        raise ValueError
    return op.windows.scatter(op.place(j * KW + i, dy), op.x)


@of_max(experiment="Add the window's corner, p · stride, to the winner's row and column.")
def window_offset_forgotten(op: MaxPooling, dy: Array) -> Array:
    """The winner's row and column in its window are used as those in the image: the window's place is not added."""
    i, j = np.divmod(winners(op), op.windows.size[1])
    dx = np.zeros(op.x.shape)
    n, _, _, c = np.indices(dy.shape)
    np.add.at(dx, (n, i, j, c), dy)
    return dx


@of_max(experiment="Add the window's corner, p · stride, to the winner's row and column.")
def window_offset_forgotten_and_assigned(op: MaxPooling, dy: Array) -> Array:
    """The winner's row and column in its window are used as those in the image, and written with =."""
    i, j = np.divmod(winners(op), op.windows.size[1])
    dx = np.zeros(op.x.shape)
    for p in range(dy.shape[1]):
        for q in range(dy.shape[2]):
            n, c = np.indices((dy.shape[0], dy.shape[3]))
            dx[n, i[:, p, q], j[:, p, q], c] = dy[:, p, q]
    return dx


def moved(op: Pooling, contributions: Array, strides: tuple[int, int]) -> Array:
    """col2im with other strides than the forward's."""
    dpadded = np.zeros(op.windows.padded(op.x).shape)
    for (p, q), rows, cols in op.windows.but(strides=strides).places():
        part = dpadded[:, rows, cols]
        part += contributions[:, p, q, : part.shape[1], : part.shape[2]]
    return op.windows.crop(dpadded, op.x)


@of_max(experiment="Use stride 1 in the forward, too: is it right then?")
def stride_ignored(op: MaxPooling, dy: Array) -> Array:
    """The stride is forgotten: the windows of the backward begin at p, where those of the forward begin at p ·
    stride."""
    _differs(op, (1, 1))
    return moved(op, op.place(winners(op), dy), (1, 1))


@of_max(experiment="Use a stride as large as the window: is it right then?")
def stride_of_window(op: MaxPooling, dy: Array) -> Array:
    """The windows of the backward begin at p · window size, where those of the forward begin at p · stride."""
    _differs(op, op.windows.size)
    return moved(op, op.place(winners(op), dy), op.windows.size)


@of_max(experiment="Use equal strides for rows and columns: is it right then?")
def strides_exchanged(op: MaxPooling, dy: Array) -> Array:
    """The strides of rows and columns are exchanged."""
    _differs(op, op.windows.strides[::-1])
    return moved(op, op.place(winners(op), dy), op.windows.strides[::-1])


@of_max(experiment="Use a single channel: is it right then?")
def winner_over_channels(op: MaxPooling, dy: Array) -> Array:
    """The largest entry is taken over all channels of a window, where each channel has its own."""
    flat = op.cells.reshape(*op.cells.shape[:3], -1)
    mask = (flat == flat.max(axis=3, keepdims=True)).reshape(op.cells.shape)
    return op.windows.scatter(op.as_columns(mask * dy[:, :, :, None]), op.x)


@of_max(experiment="Use a single sample: is it right then?", variants=("first", "last"))
def winner_of_one_sample(op: MaxPooling, dy: Array, which: str) -> Array:
    """The winners of the {variant} sample are used for all samples."""
    n = [0 if which == "first" else -1]
    return op.windows.scatter(op.place(np.broadcast_to(winners(op)[n], dy.shape), dy), op.x)


@of_max(experiment="Use a single channel: is it right then?", variants=("first", "last"))
def winner_of_one_channel(op: MaxPooling, dy: Array, which: str) -> Array:
    """The winners of the {variant} channel are used for all channels."""
    c = [0 if which == "first" else -1]
    return op.windows.scatter(op.place(np.broadcast_to(winners(op)[..., c], dy.shape), dy), op.x)


@of_max(experiment="Multiply the mask by dy, not by the window.")
def window_for_mask(op: MaxPooling, dy: Array) -> Array:
    """The winner gets x · dy: the window's values are multiplied in, where a mask of ones belongs."""
    return op.windows.scatter(op.place(winners(op), dy * op.y), op.x)


@of_max(experiment="A mask is 1 at the winner: multiply it by dy.")
def dy_forgotten(op: MaxPooling, dy: Array) -> Array:
    """The winner gets 1: the mask is not multiplied by dy."""
    return op.windows.scatter(op.place(winners(op), np.ones_like(dy)), op.x)


@of_max(experiment="Give a tie's dy to one of the equal entries, or share it among them.")
def all_ties(op: MaxPooling, dy: Array) -> Array:
    """Every entry that equals the maximum gets the whole dy: with equal entries in a window it is counted several
    times."""
    mask = op.cells == op.y[:, :, :, None]
    return op.windows.scatter(op.as_columns(mask * dy[:, :, :, None]), op.x)


@of_max(experiment="Compare within the window, not within the whole image.")
def winner_of_image(op: MaxPooling, dy: Array) -> Array:
    """The entry has to be the largest of the whole image, not of its window."""
    mask = (op.cells == op.x.max(axis=(1, 2))[:, None, None, None]) * dy[:, :, :, None]
    return op.windows.scatter(op.as_columns(mask), op.x)


@of_max(experiment="Sum only the windows that contain the pixel.", variants=[2, 3, 4])
def divided(op: MaxPooling, dy: Array, n: int) -> Array:
    """dy is divided by the number of the window's entries, {variant}², as for average pooling."""
    if op.cells.shape[3] != n * n:
        raise ValueError
    return op.windows.scatter(op.place(winners(op), dy / n**2), op.x)


# average pooling


def spread(op: AveragePooling, dy: Array) -> Array:
    return dy[:, :, :, None, None] * op.weights


@of_mean(experiment="Divide by the number of the window's entries.")
def not_divided(op: AveragePooling, dy: Array) -> Array:
    """dy is not divided by the number of the window's entries."""
    return op.windows.scatter(dy[:, :, :, None, None] * op.inside * np.ones(op.weights.shape), op.x)


@of_mean(experiment="Divide by height · width of the window.", variants=("height", "width"))
def divided_by_one_side(op: AveragePooling, dy: Array, side: str) -> Array:
    """dy is divided by the window's {variant}, not by the number of its entries."""
    n = op.windows.size[0 if side == "height" else 1]
    return op.windows.scatter(dy[:, :, :, None, None] * op.inside / n, op.x)


@of_mean(experiment="Divide once.")
def divided_twice(op: AveragePooling, dy: Array) -> Array:
    """dy is divided twice by the number of the window's entries."""
    return op.windows.scatter(spread(op, dy) * op.weights, op.x)


@of_mean(experiment="Divide by the number of the window's entries.")
def divided_by_outputs(op: AveragePooling, dy: Array) -> Array:
    """dy is divided by the number of windows, not by the number of each window's entries."""
    n = np.prod(op.windows.outputs)
    return op.windows.scatter(dy[:, :, :, None, None] * op.inside / n, op.x) if n > 1 else _no()


@of_mean(experiment="Divide by the number of the window's entries.")
def divided_by_image(op: AveragePooling, dy: Array) -> Array:
    """dy is divided by the number of the image's pixels, not by the number of the window's entries."""
    return op.windows.scatter(dy[:, :, :, None, None] * op.inside / np.prod(op.x.shape[1:3]), op.x)


@of_mean(experiment="Compare a window at the border with one inside.")
def padding_counted(op: AveragePooling, dy: Array) -> Array:
    """Pixels of the padding are counted in the divisor, where the forward leaves them out (or the other way round)."""
    if op.inside.all() and not sum(op.windows.padding):
        raise ValueError
    inside = op.windows.columns(np.ones((1, *op.x.shape[1:3], 1)))
    weights = inside / inside.sum(axis=(3, 4), keepdims=True) if op.counted else inside / np.prod(op.windows.size)
    return op.windows.scatter(dy[:, :, :, None, None] * weights, op.x)


@of_mean(experiment="Use a stride as large as the window: is it right then?")
def mean_window_assigned(op: AveragePooling, dy: Array) -> Array:
    """Windows are written with = where += belongs: of overlapping windows only the last one counts."""
    return assigned(op, spread(op, dy))


@of_mean(experiment="Use a stride as large as the window: is it right then?")
def mean_col2im_assigned(op: AveragePooling, dy: Array) -> Array:
    """col2im writes with = where += belongs: in a loop over the window's cells the last cell wins."""
    return cells_assigned(op, spread(op, dy))


@of_mean(experiment="Use stride 1 in the forward, too: is it right then?")
def mean_stride_ignored(op: AveragePooling, dy: Array) -> Array:
    """The stride is forgotten: the windows of the backward begin at p, where those of the forward begin at p ·
    stride."""
    _differs(op, (1, 1))
    return moved(op, spread(op, dy), (1, 1))


@of_mean(experiment="Use a stride as large as the window: is it right then?")
def mean_stride_of_window(op: AveragePooling, dy: Array) -> Array:
    """The windows of the backward begin at p · window size, where those of the forward begin at p · stride."""
    _differs(op, op.windows.size)
    return moved(op, spread(op, dy), op.windows.size)


@of_mean(experiment="All entries of a window have the same share.")
def mean_to_largest(op: AveragePooling, dy: Array) -> Array:
    """dy goes to the largest entry of the window, as for max pooling."""
    largest = MaxPooling({"x": op.x}, op.windows)
    return largest.pull(dy)["x"]


@of_mean(experiment="All entries of a window have the same share.", variants=("first", "last"))
def mean_to_one_cell(op: AveragePooling, dy: Array, which: str) -> Array:
    """Only the {variant} entry of the window gets its share."""
    k = 0 if which == "first" else -1
    only = np.zeros(spread(op, dy).shape)
    only[:, :, :, k, k] = spread(op, dy)[:, :, :, k, k]
    return op.windows.scatter(only, op.x)


@of_mean(experiment="The derivative of a mean does not depend on the values.")
def mean_times_x(op: AveragePooling, dy: Array) -> Array:
    """The values of x are multiplied in: the derivative of a mean is constant."""
    return op.windows.scatter(spread(op, dy), op.x) * op.x


def _differs(op: Pooling, strides: tuple[int, int]) -> None:
    if op.windows.strides == strides or op.windows.outputs == (1, 1):
        raise ValueError


def _no() -> Array:
    raise ValueError("nothing to compare with")
