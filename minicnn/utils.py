"""The two names of `keras.utils` that a ported script needs, at the place where it looks for them."""

from .datasets.labels import to_categorical
from .random import set_random_seed

__all__ = ["set_random_seed", "to_categorical"]
