"""The part of `keras.utils` that is offered here, so that a Keras script runs after `import minicnn as keras`."""

from .datasets.labels import to_categorical
from .random import set_random_seed

__all__ = ["set_random_seed", "to_categorical"]
