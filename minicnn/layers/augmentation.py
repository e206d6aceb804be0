"""Data augmentation: layers that change the images at random during training, as if there were more of them.

They stand before the first layer with weights; there they need no backward:

    Sequential([Input((28, 28, 1)), RandomFlip("horizontal"), Conv2D(32, 3, activation="relu"), …])
"""

from __future__ import annotations

from typing import Any, ClassVar

from .. import arguments
from ..backends.contract import FILL_MODES, Array, Range, Saved
from ..configurable import Accepted
from ..errors import explain, shown
from .base import CHANNELS_LAST
from .input import values_in
from .random import RandomLayer


class _Augmentation(RandomLayer):
    """A random change of images (N, H, W, C)."""

    axes = ("batch", "height", "width", "channels")
    training_by_default = True
    accepted_at_default: ClassVar[dict[str, Any]] = {
        **CHANNELS_LAST,
        "bounding_box_format": Accepted((None,), "The layer changes images, not boxes."),
    }

    def __call__(self, inputs: Any, training: bool | None = None, mask: None = None, **others: Any) -> Any:
        """As of other layers; called on one image (H, W, C), its change, so that a data set can be mapped."""
        if values_in(str(self), inputs) or (images := self._converted(inputs)).ndim != 3:
            return super().__call__(inputs, training, mask, **others)
        return super().__call__(images[None], training, mask, **others)[0]


class RandomFlip(_Augmentation):
    """Mirrors each image with probability ½: left to right ("horizontal"), top to bottom ("vertical") or both at once.

    Arguments are Keras's: mode ("horizontal", "vertical" or "horizontal_and_vertical"), seed; name, dtype, input_shape.
    """

    def __init__(self, mode: str = "horizontal_and_vertical", seed: int | None = None, **options: Any) -> None:
        super().__init__(seed=seed, **options)
        modes = ("horizontal", "vertical", "horizontal_and_vertical")
        self.mode = arguments.choice(f"{self} mode", mode, modes, "the name of a direction")

    def draw(self, x: Array) -> tuple[Array, Saved]:
        return self.ops.random_flip(x, "horizontal" in self.mode, "vertical" in self.mode, self.seed, self.calls)

    def draw_backward(self, dy: Array) -> Array:
        return self.ops.random_flip_backward(dy, self.saved)


class RandomTranslation(_Augmentation):
    """Shifts each image by random shares of its height and width: y[i, j] = x[i − s, j − t].

    s is uniform in H · height_factor, t in W · width_factor. A factor is a pair of limits in [−1, 1] (positive: down
    and right) or a number f, which means (−f, f). Empty space is filled by `fill_mode`: "reflect"
    (d c b a | a b c d | d c b a), "wrap" (a b c d | a b c d), "nearest" (a a a a | a b c d), or "constant" with
    fill_value. With interpolation="nearest", shifts are rounded to whole pixels. Padding by up to two pixels and
    cropping is

        RandomTranslation(2 / 28, 2 / 28, fill_mode="constant", interpolation="nearest")

    Arguments are Keras's: height_factor, width_factor, fill_mode, interpolation, seed, fill_value; name, dtype,
    input_shape.
    """

    def __init__(
        self,
        height_factor: float | Range,
        width_factor: float | Range,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(seed=seed, **options)
        self.height_factor = _limits(f"{self} height_factor", height_factor, least=-1)
        self.width_factor = _limits(f"{self} width_factor", width_factor, least=-1)
        self.fill_mode = arguments.choice(f"{self} fill_mode", fill_mode, FILL_MODES, "the name of a filling")
        known = ("nearest", "bilinear")
        self.interpolation = arguments.choice(f"{self} interpolation", interpolation, known, '"nearest" or "bilinear"')
        self.fill_value = arguments.number(f"{self} fill_value", fill_value)

    def draw(self, x: Array) -> tuple[Array, Saved]:
        return self.ops.random_translation(
            x,
            self.height_factor,
            self.width_factor,
            self.fill_mode,
            self.interpolation,
            self.fill_value,
            self.seed,
            self.calls,
        )

    def draw_backward(self, dy: Array) -> Array:
        return self.ops.random_translation_backward(dy, self.saved)


class RandomErasing(_Augmentation):
    """Replaces a random box in some of the images (Zhong et al., 2020).

    An image is changed with a probability that is uniform in `factor`, a pair of limits in [0, 1]; a number f means
    (0, f). The box is √a of the height by √b of the width, with a and b uniform in `scale`. It is filled with
    fill_value, or if that is None with normal noise times value_range's upper limit, clipped to value_range: for
    pixels in [0, 1], give value_range=(0, 1).

    Arguments are Keras's: factor, scale, fill_value (a number), value_range, seed; name, dtype, input_shape.
    """

    def __init__(
        self,
        factor: float | Range = 1.0,
        scale: float | Range = (0.02, 0.33),
        fill_value: float | None = None,
        value_range: Range = (0, 255),
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(seed=seed, **options)
        self.factor = _limits(f"{self} factor", factor, least=0)
        self.scale = _limits(f"{self} scale", scale, least=0)
        self.fill_value = None if fill_value is None else arguments.number(f"{self} fill_value", fill_value)
        self.value_range = _pair(f"{self} value_range", value_range)

    def draw(self, x: Array) -> tuple[Array, Saved]:
        return self.ops.random_erasing(
            x, self.factor, self.scale, self.fill_value, self.value_range, self.seed, self.calls
        )

    def draw_backward(self, dy: Array) -> Array:
        return self.ops.random_erasing_backward(dy, self.saved)


def _limits(where: str, value: Any, least: float) -> Range:
    """The lower and the upper limit of a random number in [least, 1]; a number f means (−f, f), or (0, f)."""
    if isinstance(value, (tuple, list)):
        low, high = _pair(where, value)
    else:
        high = abs(arguments.number(where, value, least=least))
        low = max(-high, least)
    if not (least <= low and high <= 1):
        raise ValueError(
            explain(where, f"numbers from {least} to 1", shown(value), "Shares of the whole: 0.1 is 10 %.")
        )
    return low, high


def _pair(where: str, value: Any) -> Range:
    """Two numbers, the smaller one first."""
    numbers = arguments.sequence(where, value, object, "two numbers")
    if len(numbers) != 2:
        raise ValueError(explain(where, "two numbers, the limits", shown(value), "Example: (0.02, 0.33)."))
    low, high = sorted(arguments.number(where, number) for number in numbers)
    return low, high
