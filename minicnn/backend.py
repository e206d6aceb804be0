"""The part of `keras.backend` that scripts use: settings, as in `minicnn.config`. (`minicnn.backends` computes.)"""

from __future__ import annotations

from .compatibility import reporter
from .config import backend, epsilon, floatx, image_data_format, set_floatx, set_image_data_format
from .utils import clear_session

__all__ = [
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "image_data_format",
    "set_floatx",
    "set_image_data_format",
]

__getattr__ = reporter(__name__, __all__)
