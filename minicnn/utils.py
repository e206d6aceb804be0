"""The part of `keras.utils` that is offered here, so that a Keras script runs after `import minicnn as keras`."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import arguments
from .backends import to_host
from .compatibility import reporter
from .custom_objects import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from .datasets.labels import to_categorical
from .diagram import plot_model
from .images import array_to_img, img_to_array, load_img, save_img
from .random import set_random_seed

__all__ = [
    "CustomObjectScope",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "clear_session",
    "custom_object_scope",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "img_to_array",
    "load_img",
    "normalize",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "set_random_seed",
    "to_categorical",
]


class PyDataset:
    """Batches by number, for fit, evaluate and predict: a subclass defines `__len__` and `__getitem__(number)`.

    The arguments of Keras's constructor choose its threads and processes; here they have no effect.
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __len__(self) -> int:
        """The number of batches of an epoch."""
        raise NotImplementedError(f"{type(self).__name__} needs a method __len__(self), the number of batches.")

    def __getitem__(self, number: int) -> Any:
        """The batch of this number: (x, y), or (x, y, sample_weight)."""
        raise NotImplementedError(f"{type(self).__name__} needs a method __getitem__(self, number), a batch (x, y).")

    def on_epoch_end(self) -> None:
        """Called after each epoch, for instance to shuffle."""


Sequence = PyDataset  # Keras's older name


def clear_session(free_memory: bool = True) -> None:
    """Does nothing: minicnn keeps no models of its own. For scripts that call it between trainings."""


def normalize(x: Any, axis: int = -1, order: int = 2) -> np.ndarray:
    """x divided by its norm along an axis; a norm of 0 stays 0."""
    x = to_host(arguments.array("normalize", "x", x))
    norms = np.linalg.norm(x, order, axis=axis, keepdims=True)
    return x / np.where(norms == 0, 1, norms)


__getattr__ = reporter(__name__, __all__)
