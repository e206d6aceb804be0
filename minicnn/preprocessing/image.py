"""Batches of images that are changed at random: Keras's ImageDataGenerator, from arrays and from folders of files.

    generator = ImageDataGenerator(rescale=1 / 255, rotation_range=10, horizontal_flip=True)
    model.fit(generator.flow(x, y, batch_size=32), epochs=5)

The images change on the host, one by one. `layers.RandomFlip` and its relatives do it batch by batch, inside the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import arguments
from ..backends.contract import FILL_MODES
from ..compatibility import reporter
from ..config import check_precision, floatx
from ..errors import explain, shown
from ..images import array_to_img, channels_last, img_to_array, load_img, save_img
from .flows import DirectoryFlow, Flow, generator_of
from .geometry import NEUTRAL, about_the_middle, moved, transformation

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff", ".gif")
"""Of the files that flow_from_directory reads."""


class ImageDataGenerator:
    """Changes images (H, W, C) at random, and makes batches of them, as Keras's class of this name.

    Each image is turned by up to `rotation_range` degrees, moved by up to `height_shift_range` and `width_shift_range`
    (shares of its size if below 1, else pixels; or a list of pixels to choose from), slanted by up to `shear_range`
    degrees, and magnified: a number z of `zoom_range` means (1 − z, 1 + z). The flips happen with probability ½.
    What comes from outside of the image is filled by `fill_mode` ("nearest", "constant" with cval, "reflect", "wrap").
    `channel_shift_range` is added to each channel.

    Then `preprocessing_function` gets each image, and it is multiplied by `rescale`. Its mean is subtracted and it is
    divided by its standard deviation, where that is asked for: "samplewise" by those of the image, "featurewise" by
    those of each channel of the images that `fit` was given. `validation_split` is the share of the samples, the first
    ones, that flow(subset="validation") takes.

    Of Keras's other arguments, the default values are accepted. Raises TypeError or ValueError for others.
    """

    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: float | Sequence[float] = 0.0,
        height_shift_range: float | Sequence[float] = 0.0,
        brightness_range: None = None,
        shear_range: float = 0.0,
        zoom_range: float | Sequence[float] = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable[[np.ndarray], Any] | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: Any = None,
    ) -> None:
        where = type(self).__name__
        whole = "Change the images in preprocessing_function."
        arguments.only(f"{where} zca_whitening", zca_whitening, False, whole)
        arguments.only(f"{where} brightness_range", brightness_range, None, whole)
        arguments.only(f"{where} interpolation_order", interpolation_order, 1, "Pixels are interpolated linearly.")
        channels_last(where, data_format)
        self.featurewise_center = arguments.flag(f"{where} featurewise_center", featurewise_center)
        self.samplewise_center = arguments.flag(f"{where} samplewise_center", samplewise_center)
        self.featurewise_std_normalization = arguments.flag(
            f"{where} featurewise_std_normalization", featurewise_std_normalization
        )
        self.samplewise_std_normalization = arguments.flag(
            f"{where} samplewise_std_normalization", samplewise_std_normalization
        )
        self.rotation_range = arguments.number(f"{where} rotation_range", rotation_range, least=0)
        self.width_shift_range = _shifts(f"{where} width_shift_range", width_shift_range)
        self.height_shift_range = _shifts(f"{where} height_shift_range", height_shift_range)
        self.shear_range = arguments.number(f"{where} shear_range", shear_range, least=0)
        self.zoom_range = _zooms(f"{where} zoom_range", zoom_range)
        self.channel_shift_range = arguments.number(f"{where} channel_shift_range", channel_shift_range, least=0)
        self.fill_mode = arguments.choice(f"{where} fill_mode", fill_mode, FILL_MODES, "the name of a filling")
        self.cval = arguments.number(f"{where} cval", cval)
        self.horizontal_flip = arguments.flag(f"{where} horizontal_flip", horizontal_flip)
        self.vertical_flip = arguments.flag(f"{where} vertical_flip", vertical_flip)
        self.rescale = None if rescale is None else arguments.number(f"{where} rescale", rescale)
        self.preprocessing_function = preprocessing_function
        self.validation_split = arguments.fraction(f"{where} validation_split", validation_split)
        self.dtype = floatx() if dtype is None else check_precision(f"{where} dtype", dtype)
        self.mean: np.ndarray | None = None
        """The mean of each channel, after `fit`."""
        self.std: np.ndarray | None = None
        """The standard deviation of each channel, after `fit`."""

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Measure the mean and the standard deviation of each channel of images x (N, H, W, C).

        With `augment`, of `rounds` random changes of each image.
        """
        images = self._images("fit", x)
        if self.rescale is not None:
            images = images * self.rescale
        if arguments.flag("fit augment", augment):
            random = generator_of(seed)
            rounds = arguments.whole("fit rounds", rounds)
            images = np.stack([self.changed(image, random) for _ in range(rounds) for image in images])
        self.mean, self.std = images.mean(axis=(0, 1, 2)), images.std(axis=(0, 1, 2))

    def standardize(self, x: np.ndarray) -> np.ndarray:
        """One image (H, W, C) -> one of its shape, after preprocessing_function, rescale and the normalisations."""
        if self.preprocessing_function is not None:
            x = np.asarray(self.preprocessing_function(x), self.dtype)
        if self.rescale is not None:
            x = x * self.rescale
        if self.samplewise_center:
            x = x - x.mean()
        if self.samplewise_std_normalization:
            x = x / (x.std() + 1e-6)
        if self.featurewise_center:
            x = x - self._measured(self.mean)
        if self.featurewise_std_normalization:
            x = x / (self._measured(self.std) + 1e-6)
        return x

    def get_random_transform(self, img_shape: Sequence[int], seed: int | None = None) -> dict[str, Any]:
        """A random change for images of img_shape (H, W, C), by Keras's names; `apply_transform` makes it."""
        return self._drawn(img_shape, generator_of(seed))

    def apply_transform(self, x: Any, transform_parameters: dict[str, Any]) -> np.ndarray:
        """An image (H, W, C), changed as get_random_transform says; what its dictionary lacks is not changed.

        "theta" and "shear" are degrees, "tx" pixels along the height, "ty" along the width, "zy" and "zx" the parts of
        the height and the width that are seen.
        """
        x = np.asarray(x, self.dtype)
        change = transform_parameters
        affine = [change.get(name, neutral) for name, neutral in NEUTRAL.items()]
        if affine != list(NEUTRAL.values()):
            x = moved(x, about_the_middle(transformation(*affine), x.shape), self.fill_mode, self.cval)
        if (shift := change.get("channel_shift_intensity")) is not None:
            x = np.clip(x + shift, x.min(), x.max())
        if change.get("flip_horizontal"):
            x = x[:, ::-1]
        if change.get("flip_vertical"):
            x = x[::-1]
        return x

    def random_transform(self, x: Any, seed: int | None = None) -> np.ndarray:
        """A random change of one image (H, W, C)."""
        return self.changed(np.asarray(x, self.dtype), generator_of(seed))

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: None = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> Flow:
        """Batches of changed images from x (N, H, W, C): x alone, (x, y), or (x, y, sample_weight).

        `subset` "validation" takes the first share of the samples, validation_split, and "training" the others.
        """
        arguments.only("flow save_to_dir", save_to_dir, None, "save_img writes an image.")
        images = self._images("flow", x)
        targets = [np.asarray(part) for part in (y, sample_weight) if part is not None]
        for part in targets:
            if len(part) != len(images):
                expected, found = f"as many targets as images, {len(images)}", f"{len(part)}"
                raise ValueError(explain("flow", expected, found, "Pair x and y up again."))
        chosen = self._subset("flow", len(images), subset)
        flow = Flow(self, images[chosen].__getitem__, len(images[chosen]), batch_size, shuffle, seed)
        flow.targets = [part[chosen] for part in targets]
        return flow

    def flow_from_directory(
        self,
        directory: str | Path,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
    ) -> DirectoryFlow:
        """Batches (x, y) of the image files in a directory's folders, one folder for each class.

        `classes` are the folders' names, in the order of the labels; None: all, sorted. y is one-hot ("categorical"),
        the label ("sparse", and "binary" of two classes), the image itself ("input"), or missing (None). Each file is
        read when its batch comes, with load_img's color_mode, target_size and interpolation. Needs Pillow.
        Raises FileNotFoundError if the directory or a class's folder is missing.
        """
        arguments.only("flow_from_directory save_to_dir", save_to_dir, None, "save_img writes an image.")
        folder = Path(arguments.path("flow_from_directory directory", directory))
        names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if classes is None else list(classes)
        files = [_files(folder / name) for name in names]
        chosen = [part[self._subset("flow_from_directory", len(part), subset)] for part in files]

        def read(path: Path) -> np.ndarray:
            image = load_img(path, color_mode, target_size, interpolation, keep_aspect_ratio)
            return img_to_array(image, dtype=self.dtype)

        return DirectoryFlow(self, read, folder, names, chosen, class_mode, batch_size, shuffle, seed)

    def _images(self, where: str, x: Any) -> np.ndarray:
        """x as images (N, H, W, C) of the generator's dtype."""
        images = np.asarray(arguments.array(where, "images x", x), self.dtype)
        if images.ndim != 4:
            remedy = "Grey images have one channel: x[..., numpy.newaxis]."
            raise ValueError(explain(where, "images (N, H, W, C)", f"shape {images.shape}", remedy))
        return images

    def _subset(self, where: str, samples: int, subset: str | None) -> slice:
        if subset is None:
            return slice(None)
        subset = arguments.choice(f"{where} subset", subset, ("training", "validation"), '"training" or "validation"')
        first = int(samples * self.validation_split)
        return slice(first) if subset == "validation" else slice(first, None)

    def _measured(self, statistic: np.ndarray | None) -> np.ndarray:
        if statistic is None:
            remedy = "Call generator.fit(x) with the training images first."
            raise ValueError(explain("ImageDataGenerator", "the statistics of the images", "none", remedy))
        return statistic

    def changed(self, image: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """A random change of an image (H, W, C)."""
        return self.apply_transform(image, self._drawn(image.shape, random))

    def _drawn(self, shape: Sequence[int], random: np.random.Generator) -> dict[str, Any]:
        height, width = shape[:2]
        zx, zy = random.uniform(*self.zoom_range, 2)
        shift = random.uniform(-self.channel_shift_range, self.channel_shift_range)
        return {
            "theta": random.uniform(-self.rotation_range, self.rotation_range),
            "tx": _shift(self.height_shift_range, height, random),
            "ty": _shift(self.width_shift_range, width, random),
            "shear": random.uniform(-self.shear_range, self.shear_range),
            "zx": zx,
            "zy": zy,
            "flip_horizontal": self.horizontal_flip and random.random() < 0.5,
            "flip_vertical": self.vertical_flip and random.random() < 0.5,
            "channel_shift_intensity": shift if self.channel_shift_range else None,
        }


def _shifts(where: str, value: Any) -> float | list[float]:
    """A number, or a list of pixels to choose from."""
    if isinstance(value, (int, float)):
        return arguments.number(where, value, least=0)
    return arguments.sequence(where, value, (int, float), "a number, or a list of numbers of pixels")


def _shift(limit: float | list[float], length: int, random: np.random.Generator) -> float:
    """A random shift in pixels along an axis of this length."""
    if isinstance(limit, list):
        return float(random.choice(limit) * random.choice([-1, 1]))
    return random.uniform(-limit, limit) * (length if limit < 1 else 1)


def _zooms(where: str, value: Any) -> tuple[float, float]:
    """The limits of the zoom; a number z means (1 − z, 1 + z)."""
    if isinstance(value, (int, float)):
        value = (1 - value, 1 + value)
    limits = arguments.sequence(where, value, (int, float), "a number, or two, the limits")
    if len(limits) != 2:
        raise ValueError(explain(where, "a number, or two, the limits", shown(value), "Example: 0.2 or (0.8, 1.2)."))
    return limits[0], limits[1]


def _files(folder: Path) -> list[Path]:
    """The image files in a folder and the folders in it, sorted."""
    if not folder.is_dir():
        raise FileNotFoundError(f"flow_from_directory: {folder} is no folder. Each class has a folder of its images.")
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)


__all__ = ["ImageDataGenerator", "array_to_img", "img_to_array", "load_img", "save_img"]

__getattr__ = reporter(__name__, __all__)
