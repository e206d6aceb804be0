"""Layers that change the size of images: zeros around them, borders cut off, more pixels."""

from __future__ import annotations

from typing import Any

from .. import arguments
from ..backends.contract import Array, Pair, Step
from ..errors import explain, shown
from .base import Shape
from .spatial import Spatial, pair


class _Border(Spatial):
    """Adds rows and columns of zeros around the image, or crops it: then the numbers of `border` are negative."""

    sign: int
    """1 adds, -1 cuts off."""

    def __init__(self, argument: str, border: Any, **options: Any) -> None:
        super().__init__(**options)
        border = _border(f"{self} {argument}", border, self.spatial_rank)
        setattr(self, argument, border)
        self.border = tuple((self.sign * before, self.sign * after) for before, after in border)

    @property
    def border_2d(self) -> tuple[Pair, Pair]:
        rows, columns = ((0, 0), *self.border)[-2:]
        return rows, columns

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape)
        lengths = [length + sum(pair) for length, pair in zip(input_shape[1:-1], self.border, strict=True)]
        if min(lengths) < 1:
            found, remedy = f"{input_shape[1:-1]}", "Crop less."
            raise ValueError(explain(str(self), f"inputs larger than what is cropped, {self.border}", found, remedy))
        return (input_shape[0], *lengths, input_shape[-1])

    def call(self, x: Array, training: bool) -> Array:
        y, self.saved = self.ops.pad2d(self.to_images(x), *self.border_2d)
        return self.from_images(y)

    def steps(self) -> tuple[Step, ...]:
        return (("pad2d", (), self.border_2d),)

    def call_backward(self, dy: Array, need_dx: bool) -> Array:
        return self.from_images(self.ops.pad2d_backward(self.to_images(dy), self.saved))


class ZeroPadding1D(_Border):
    """Zeros before and after a sequence: (N, L, C) -> (N, before + L + after, C). padding: a number, or a pair."""

    spatial_rank, sign = 1, 1

    def __init__(self, padding: int | Pair = 1, **options: Any) -> None:
        super().__init__("padding", padding, **options)


class ZeroPadding2D(_Border):
    """Zeros around images: (N, H, W, C) -> (N, top + H + bottom, left + W + right, C).

    padding: a number, (rows, columns), or ((top, bottom), (left, right)).
    """

    spatial_rank, sign = 2, 1

    def __init__(self, padding: int | Pair | tuple[Pair, Pair] = 1, **options: Any) -> None:
        super().__init__("padding", padding, **options)


class Cropping1D(_Border):
    """Cuts off both ends of a sequence: (N, L, C) -> (N, L − before − after, C). cropping: a number, or a pair."""

    spatial_rank, sign = 1, -1

    def __init__(self, cropping: int | Pair = (1, 1), **options: Any) -> None:
        super().__init__("cropping", cropping, **options)


class Cropping2D(_Border):
    """Cuts off the borders of images: (N, H, W, C) -> (N, H − top − bottom, W − left − right, C).

    cropping: a number, (rows, columns), or ((top, bottom), (left, right)).
    """

    spatial_rank, sign = 2, -1

    def __init__(self, cropping: int | Pair | tuple[Pair, Pair] = ((0, 0), (0, 0)), **options: Any) -> None:
        super().__init__("cropping", cropping, **options)


class _UpSampling(Spatial):
    """More pixels along the spatial axes."""

    interpolation = "nearest"

    def __init__(self, size: Any, **options: Any) -> None:
        super().__init__(**options)
        self.size = arguments.window(f"{self} size", size, self.spatial_rank)

    @property
    def size_2d(self) -> Pair:
        return pair(self.size)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape)
        lengths = (length * times for length, times in zip(input_shape[1:-1], self.size, strict=True))
        return (input_shape[0], *lengths, input_shape[-1])

    def call(self, x: Array, training: bool) -> Array:
        y, self.saved = self.ops.upsample2d(self.to_images(x), self.size_2d, self.interpolation)
        return self.from_images(y)

    def steps(self) -> tuple[Step, ...]:
        return (("upsample2d", (), (self.size_2d, self.interpolation)),)

    def call_backward(self, dy: Array, need_dx: bool) -> Array:
        return self.from_images(self.ops.upsample2d_backward(self.to_images(dy), self.saved))


class UpSampling1D(_UpSampling):
    """Each step `size` times: (N, L, C) -> (N, L · size, C)."""

    spatial_rank = 1

    def __init__(self, size: int = 2, **options: Any) -> None:
        super().__init__(size, **options)


class UpSampling2D(_UpSampling):
    """Larger images: (N, H, W, C) -> (N, H · size[0], W · size[1], C).

    interpolation: "nearest", each pixel as a block of `size`, or "bilinear", weighted means of neighbouring pixels.
    """

    spatial_rank = 2

    def __init__(self, size: int | Pair = 2, interpolation: str = "nearest", **options: Any) -> None:
        super().__init__(size, **options)
        known = ("nearest", "bilinear")
        self.interpolation = arguments.choice(f"{self} interpolation", interpolation, known, '"nearest" or "bilinear"')


def _border(where: str, value: Any, rank: int) -> tuple[Pair, ...]:
    """A pair (before, after) for each axis; in Keras's short forms, one number is for both ends, or for all."""
    sides = value if isinstance(value, (tuple, list)) else (value,) * 2
    if len(sides) != 2:
        example = "1 or (1, 2)" if rank == 1 else "1, (1, 2) or ((1, 2), (0, 1))"
        raise ValueError(explain(where, "one number or two", shown(value), f"Example: {example}."))
    if rank == 1:
        before, after = (arguments.whole(where, side, least=0) for side in sides)
        return ((before, after),)
    return tuple(_border(where, side, 1)[0] for side in sides)
