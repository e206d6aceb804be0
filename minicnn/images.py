"""Images in files and as arrays: Keras's img_to_array, array_to_img, load_img and save_img. Files need Pillow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from . import arguments
from .config import check_precision, floatx
from .errors import explain, shown
from .extras import imported

COLOR_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
"""Keras's names of color modes, and Pillow's."""

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """A Pillow image, or an array (H, W) or (H, W, C) -> an array (H, W, C) of the default precision, or of dtype.

    Raises ValueError for other ranks and for data_format="channels_first".
    """
    channels_last("img_to_array", data_format)
    array = np.array(img, floatx() if dtype is None else check_precision("img_to_array dtype", dtype))
    return _with_channels("img_to_array", array)


def array_to_img(x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None) -> Any:
    """An array (H, W, C) of 1, 3 or 4 channels -> a Pillow image.

    With `scale`, the numbers are stretched so that the least is 0 and the greatest 255; without, they have to be from
    0 to 255. Raises ValueError for other shapes.
    """
    channels_last("array_to_img", data_format)
    x = _with_channels("array_to_img", np.array(x, floatx() if dtype is None else dtype))
    modes = {1: "L", 3: "RGB", 4: "RGBA"}
    if x.shape[-1] not in modes:
        remedy = "Choose channels: x[..., :3], say."
        raise ValueError(explain("array_to_img", "1, 3 or 4 channels", f"shape {x.shape}", remedy))
    if arguments.flag("array_to_img scale", scale):
        x = x - x.min()
        x = x / (x.max() or 1) * 255
    pixels = x.astype("uint8")
    return _pillow("array_to_img").fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels, modes[x.shape[-1]])


def load_img(
    path: str | Path,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """The image of a file, as a Pillow image with the channels of color_mode, resized to target_size (height, width).

    With keep_aspect_ratio, the middle of the image is cut out so that nothing is stretched. Raises ValueError for
    unknown names, OSError for a file that Pillow cannot read.
    """
    mode = COLOR_MODES[arguments.choice("load_img color_mode", color_mode, tuple(COLOR_MODES), "a color mode")]
    way = arguments.choice("load_img interpolation", interpolation, INTERPOLATIONS, "the name of an interpolation")
    pillow = _pillow("load_img")
    with pillow.open(path) as opened:
        image = opened.convert(mode)
    if target_size is None:
        return image
    height, width = arguments.window("load_img target_size", target_size, 2)
    if arguments.flag("load_img keep_aspect_ratio", keep_aspect_ratio):
        image = _middle(image, width / height)
    return image.resize((width, height), getattr(pillow.Resampling, way.upper()))


def save_img(
    path: str | Path,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
) -> None:
    """Write an array (H, W, C) as an image file; its format is that of the path's ending, or file_format."""
    image = array_to_img(x, data_format, scale)
    image.save(path, format=file_format)


def channels_last(where: str, data_format: Any) -> None:
    """Raises ValueError for any other order of axes than (H, W, C)."""
    remedy = "Arrays are (H, W, C): numpy.moveaxis(x, 0, -1) converts one."
    if data_format not in (None, "channels_last"):
        raise ValueError(explain(f"{where} data_format", '"channels_last"', shown(data_format), remedy))


def _with_channels(where: str, array: np.ndarray) -> np.ndarray:
    """An image (H, W) or (H, W, C) as (H, W, C)."""
    if array.ndim not in (2, 3):
        remedy = "Convert images one by one."
        raise ValueError(explain(where, "one image (H, W, C)", f"shape {array.shape}", remedy))
    return array if array.ndim == 3 else array[:, :, None]


def _middle(image: Any, ratio: float) -> Any:
    """The largest part of an image in its middle whose width is `ratio` times its height."""
    width, height = min(image.width, round(image.height * ratio)), min(image.height, round(image.width / ratio))
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _pillow(used_by: str) -> Any:
    return imported("PIL.Image", "images", used_by)
