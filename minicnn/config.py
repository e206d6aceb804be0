"""The default precision, float32 or float64, and other settings by Keras's names."""

from __future__ import annotations

from . import arguments
from .compatibility import reporter
from .errors import explain, shown

PRECISIONS = ("float32", "float64")

_floatx = "float32"


def floatx() -> str:
    """The dtype of layers made without a dtype argument: "float32" unless set_floatx has changed it."""
    return _floatx


def set_floatx(value: str) -> None:
    """Set the dtype of layers made from now on: "float32" or "float64". Raises ValueError for any other."""
    global _floatx
    _floatx = check_precision("set_floatx", value)


def check_precision(where: str, dtype: object) -> str:
    """The dtype's name. Raises ValueError unless minicnn can compute in it."""
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", None) or str(dtype)
    return arguments.choice(where, name, PRECISIONS, "dtype float32 or float64")


def image_data_format() -> str:
    """ "channels_last", the only order of axes: images are (N, H, W, C)."""
    return "channels_last"


def set_image_data_format(data_format: str) -> None:
    """Accepts "channels_last". Raises ValueError for "channels_first"."""
    if data_format != "channels_last":
        remedy = "The kernels read all channels of a pixel at once. Transpose the images: numpy.moveaxis(x, 1, -1)."
        raise ValueError(explain("set_image_data_format", '"channels_last"', shown(data_format), remedy))


def epsilon() -> float:
    """The smallest probability that a cross-entropy takes the logarithm of."""
    return 1e-7


def backend() -> str:
    """The name of the backend in use: "numpy", "numba" or "cupy"."""
    from .backends import backend_name  # at a call: backends use this module's neighbours

    return backend_name()


__getattr__ = reporter(
    __name__,
    ("backend", "epsilon", "floatx", "image_data_format", "set_floatx", "set_image_data_format"),
)
