"""Batches of changed images, from an array or from files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import arguments
from ..errors import explain
from ..random import draw_seed
from ..utils import PyDataset, to_categorical


def generator_of(seed: int | None) -> np.random.Generator:
    """Random numbers of this seed; of None, of one that set_random_seed determines."""
    return np.random.default_rng(draw_seed() if seed is None else arguments.seed("seed", seed))


class Flow(PyDataset):
    """Batches of changed images, by number or with `next`, which goes on for ever; fit takes it as it is.

    `n` is the number of images, `batch_size` that of a batch; the last batch may be smaller.
    """

    targets: Sequence[np.ndarray] = ()
    """What comes with the images in each batch: y, and the weights of the samples."""

    def __init__(
        self,
        generator: Any,
        read: Callable[[int], np.ndarray],
        n: int,
        batch_size: int,
        shuffle: bool,
        seed: int | None,
    ) -> None:
        super().__init__()
        if n == 0:
            raise ValueError(explain("flow", "at least one image", "none", "Check the data and validation_split."))
        self.generator, self.read, self.n = generator, read, n
        self.batch_size = arguments.whole("flow batch_size", batch_size)
        self.shuffle = arguments.flag("flow shuffle", shuffle)
        self.random = generator_of(seed)
        self.next_number = 0
        self.on_epoch_end()

    @property
    def samples(self) -> int:
        """The number of images, by Keras's other name."""
        return self.n

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __getitem__(self, number: int) -> Any:
        """The batch of this number: x, (x, y) or (x, y, sample_weight), freshly changed."""
        if not 0 <= number < len(self):
            raise IndexError(f"Batches have numbers from 0 to {len(self) - 1}, found {number}.")
        chosen = self.order[number * self.batch_size : (number + 1) * self.batch_size]
        x = np.stack([self._image(index) for index in chosen])
        return (x, *(part[chosen] for part in self.targets)) if self.targets else x

    def _image(self, index: int) -> np.ndarray:
        return self.generator.standardize(self.generator.changed(self.read(index), self.random))

    def __iter__(self) -> Flow:
        return self

    def __next__(self) -> Any:
        """The next batch; after the last one comes the first of a new order."""
        if self.next_number == len(self):
            self.on_epoch_end()
            self.next_number = 0
        self.next_number += 1
        return self[self.next_number - 1]

    def on_epoch_end(self) -> None:
        """Shuffle the images, if that was asked for."""
        self.order = self.random.permutation(self.n) if self.shuffle else np.arange(self.n)

    def reset(self) -> None:
        """Begin again with the first batch."""
        self.next_number = 0
        self.on_epoch_end()


class DirectoryFlow(Flow):
    """Batches of the images in files: `class_indices` {folder: label}; `classes`, the labels; `filepaths`."""

    def __init__(
        self,
        generator: Any,
        read: Callable[[Path], np.ndarray],
        folder: Path,
        names: Sequence[str],
        files: Sequence[Sequence[Path]],
        class_mode: str | None,
        batch_size: int,
        shuffle: bool,
        seed: int | None,
    ) -> None:
        if class_mode is not None:
            known = ("categorical", "binary", "sparse", "input")
            arguments.choice("flow_from_directory class_mode", class_mode, known, "a class mode")
        self.class_mode = class_mode
        self.class_indices = {name: label for label, name in enumerate(names)}
        self.num_classes = len(names)
        self.classes = np.repeat(np.arange(len(names)), [len(part) for part in files])
        paths = [path for part in files for path in part]
        self.filepaths = [str(path) for path in paths]
        self.filenames = [str(path.relative_to(folder)) for path in paths]
        super().__init__(generator, lambda index: read(paths[index]), len(paths), batch_size, shuffle, seed)
        self.image_shape = self.read(0).shape
        if class_mode == "categorical":
            self.targets = [to_categorical(self.classes, self.num_classes)]
        elif class_mode in ("binary", "sparse"):
            self.targets = [self.classes.astype(generator.dtype)]
        print(f"Found {self.n} images belonging to {self.num_classes} classes.")

    @property
    def labels(self) -> np.ndarray:
        """The label of each image, in the order of `filepaths`."""
        return self.classes

    def __getitem__(self, number: int) -> Any:
        batch = super().__getitem__(number)
        return (batch, batch.copy()) if self.class_mode == "input" else batch
