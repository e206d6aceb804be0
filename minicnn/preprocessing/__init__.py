"""Keras's older names for images in files and for data augmentation, which many scripts use."""

from ..compatibility import reporter
from . import image

__all__ = ["image"]

__getattr__ = reporter(__name__, __all__)
