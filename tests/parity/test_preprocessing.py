"""ImageDataGenerator and Keras's make the same change of an image, for the same angles, shifts and zooms."""

import numpy as np
import pytest
from keras import utils
from tensorflow.keras.preprocessing.image import ImageDataGenerator as KerasGenerator

from minicnn.preprocessing.image import ImageDataGenerator, array_to_img, img_to_array, load_img, save_img

X = np.random.default_rng(0).random((7, 7, 3), dtype=np.float32)

CHANGES = [
    {"theta": 30},
    {"theta": 90},
    {"shear": 20},
    {"zx": 0.75, "zy": 1.25},
    {"tx": 1.5, "ty": -2},
    {"theta": -20, "tx": 1, "ty": 2.25, "shear": 10, "zx": 0.9},
    {"flip_horizontal": True, "flip_vertical": True},
    {"channel_shift_intensity": 0.25},
]


@pytest.mark.parametrize("fill_mode", ["constant", "nearest", "reflect"])
@pytest.mark.parametrize("change", CHANGES)
def test_changes(change, fill_mode):
    """Of square images: Keras turns others about another point. Keras's tx is along the width."""
    theirs = {**change, "tx": change.get("ty", 0), "ty": change.get("tx", 0)}
    np.testing.assert_allclose(
        ImageDataGenerator(fill_mode=fill_mode, cval=0.5).apply_transform(X, change),
        KerasGenerator(fill_mode=fill_mode, cval=0.5).apply_transform(X, theirs),
        atol=1e-5,
    )


@pytest.mark.parametrize("kind", ["samplewise", "featurewise"])
def test_normalisation(kind):
    images = np.random.default_rng(1).normal(3, 2, (6, 5, 4, 2)).astype("float32")
    config = {f"{kind}_center": True, f"{kind}_std_normalization": True, "rescale": 0.5}
    found = []
    for generator in (ImageDataGenerator(**config), KerasGenerator(**config)):
        generator.fit(images)
        found.append(next(generator.flow(images, batch_size=6, shuffle=False)))
    np.testing.assert_allclose(*found, atol=1e-5)


@pytest.mark.parametrize("subset", ["training", "validation"])
def test_subsets(subset):
    images, labels = np.zeros((10, 3, 3, 1)), np.arange(10) % 2
    flows = (cls(validation_split=0.35).flow(images, labels, shuffle=False, subset=subset) for cls in BOTH)
    np.testing.assert_array_equal(*(next(flow)[1] for flow in flows))


BOTH = ImageDataGenerator, KerasGenerator


@pytest.mark.parametrize("class_mode", ["categorical", "sparse", "binary", "input", None])
def test_directories(tmp_path, class_mode):
    for number in range(6):
        folder = tmp_path / "ab"[number % 2]
        folder.mkdir(exist_ok=True)
        save_img(folder / f"{number}.png", X * number)
    found = []
    for cls in BOTH:
        flow = cls(rescale=1 / 255).flow_from_directory(
            str(tmp_path), target_size=(5, 6), class_mode=class_mode, batch_size=4, shuffle=False
        )
        found.append((next(flow), flow.class_indices, list(flow.classes), flow.filenames, flow.samples, len(flow)))
    for ours, theirs in zip(*found, strict=True):
        assert type(ours) is type(theirs)
        for one, other in zip(
            *((part if isinstance(part, tuple) else (part,)) for part in (ours, theirs)), strict=True
        ):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("keep_aspect_ratio", [False, True])
@pytest.mark.parametrize("color_mode", ["rgb", "grayscale", "rgba"])
def test_images_in_files(tmp_path, color_mode, keep_aspect_ratio):
    path = str(tmp_path / "image.png")
    save_img(path, X[:, :5])
    config = {"color_mode": color_mode, "target_size": (4, 6), "keep_aspect_ratio": keep_aspect_ratio}
    ours, theirs = load_img(path, **config), utils.load_img(path, **config)
    np.testing.assert_array_equal(img_to_array(ours), utils.img_to_array(theirs))


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_arrays_as_images(channels, scale):
    x = X[..., :channels] * 200
    ours, theirs = array_to_img(x, scale=scale), utils.array_to_img(x, scale=scale)
    assert ours.mode == theirs.mode
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
