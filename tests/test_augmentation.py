"""Data augmentation: results worked out by hand, the same random numbers again, and nothing outside of training."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn
from minicnn.layers import Dense, Flatten, RandomErasing, RandomFlip, RandomTranslation


def image(rows, copies=1):
    return np.repeat(np.array(rows, np.float32)[None, :, :, None], copies, axis=0)


@pytest.mark.parametrize(
    ("mode", "other"),
    [
        ("horizontal", [[3, 2, 1], [6, 5, 4]]),
        ("vertical", [[4, 5, 6], [1, 2, 3]]),
        ("horizontal_and_vertical", [[6, 5, 4], [3, 2, 1]]),
    ],
)
def test_half_of_the_images_are_mirrored(backend, mode, other):
    x = image([[1, 2, 3], [4, 5, 6]], copies=400)
    layer = RandomFlip(mode, seed=2)
    y = layer.forward(x, training=True)
    flipped = (y != x).any(axis=(1, 2, 3))
    assert 150 < flipped.sum() < 250
    np.testing.assert_array_equal(y[flipped][:, :, :, 0], np.broadcast_to(other, (flipped.sum(), 2, 3)))
    np.testing.assert_array_equal(layer.backward(y), x)  # mirrored again
    assert (layer.forward(x, training=True) != y).any()


@pytest.mark.parametrize(
    ("fill_mode", "rows"),
    [
        ("constant", [[9, 9], [9, 1], [9, 3]]),
        ("nearest", [[1, 1], [1, 1], [3, 3]]),
        ("reflect", [[1, 1], [1, 1], [3, 3]]),
        ("wrap", [[6, 5], [2, 1], [4, 3]]),
    ],
)
def test_a_shift_by_one_pixel(backend, fill_mode, rows):
    """Down by a third of the height, and to the right by half of the width."""
    layer = RandomTranslation((1 / 3, 1 / 3), (0.5, 0.5), fill_mode, "nearest", fill_value=9.0)
    y = layer.forward(image([[1, 2], [3, 4], [5, 6]]), training=True)
    np.testing.assert_array_equal(y[0, :, :, 0], rows)


def test_reflection_goes_back_and_forth(backend):
    layer = RandomTranslation((0.0, 0.0), (1.0, 1.0), seed=0)
    y = layer.forward(image([[1, 2, 3]]), training=True)
    np.testing.assert_array_equal(y[0, 0, :, 0], [3, 2, 1])


def test_a_shift_by_half_a_pixel_is_a_mean_and_shares_its_gradient(backend):
    layer = RandomTranslation((0.0, 0.0), (0.25, 0.25), "constant", fill_value=8.0)
    y = layer.forward(image([[2, 4]]), training=True)
    np.testing.assert_array_equal(y[0, 0, :, 0], [(8 + 2) / 2, (2 + 4) / 2])
    np.testing.assert_array_equal(layer.backward(image([[1, 10]]))[0, 0, :, 0], [0.5 + 5, 5])


def test_shifts_cover_their_range(backend):
    x = np.zeros((300, 9, 9, 1), np.float32)
    x[:, 4, 4] = 1
    y = RandomTranslation(2 / 9, (-1 / 9, 3 / 9), "constant", "nearest", seed=1).forward(x, training=True)
    assert y.sum() == 300
    _, rows, columns, _ = np.nonzero(y)
    assert (set(rows), set(columns)) == ({2, 3, 4, 5, 6}, {3, 4, 5, 6, 7})


def test_a_box_is_erased_and_has_no_gradient(backend):
    """A quarter of the area: two of four rows and two of four columns."""
    x = np.ones((50, 4, 4, 2), np.float32)
    layer = RandomErasing((1, 1), (0.25, 0.25), fill_value=0.5, value_range=(0, 1), seed=0)
    y = layer.forward(x, training=True)
    erased = y == 0.5
    assert (erased.sum(axis=(1, 2)) == 4).all()
    assert (erased.any(axis=1).sum(axis=1) == 2).all()
    assert len(np.unique(erased, axis=0)) == 4  # as in Keras, a box rarely begins at the first row or column
    np.testing.assert_array_equal(layer.backward(2 * x), np.where(erased, 0, 2))


@pytest.mark.parametrize(
    ("factor", "least", "most"), [(0.0, 0, 0), ((1, 1), 400, 400), ((0.3, 0.3), 80, 160), (1.0, 150, 250)]
)
def test_how_many_images_are_erased(backend, factor, least, most):
    x = np.ones((400, 3, 4, 1), np.float32)
    y = RandomErasing(factor, (1, 1), fill_value=0.0, seed=1).forward(x, training=True)
    assert least <= (y == 0).all(axis=(1, 2, 3)).sum() <= most


def test_noise_is_clipped_to_the_range(backend):
    x = np.full((10, 20, 20, 1), 7, np.float32)
    y = RandomErasing((1, 1), (1, 1), value_range=(0, 2), seed=1).forward(x, training=True)
    assert (y.min(), y.max(), y.dtype) == (0, 2, np.float32)
    inside = y[(y > 0) & (y < 2)]
    assert inside.size == pytest.approx(0.3413 * y.size, rel=0.1)  # normal, between 0 and one standard deviation


MAKE = [
    lambda: RandomFlip(seed=1),
    lambda: RandomTranslation(0.4, 0.4, seed=1),
    lambda: RandomErasing((1, 1), seed=1),
]


@pytest.mark.parametrize("make", MAKE)
def test_only_training_changes_images(backend, make):
    x = np.random.default_rng(0).normal(size=(8, 5, 6, 2)).astype("float32")
    layer = make()
    for y in (layer.forward(x), minicnn.Sequential([make()]).predict(x)):
        np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(layer.backward(x), x)
    assert layer.calls == 0
    assert (layer.forward(x, training=True) != x).any()


@pytest.mark.parametrize("make", MAKE)
def test_every_backend_changes_images_alike(make):
    x = np.random.default_rng(0).normal(size=(8, 5, 6, 2)).astype("float32")
    with minicnn.use_backend("numpy"):
        expected = make().forward(x, training=True)
    np.testing.assert_allclose(make().forward(x, training=True), expected, atol=1e-6)


def test_a_resumed_training_sees_the_same_images(backend, tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 5, 6, 1)).astype("float32"), rng.integers(3, size=24)
    layers = [minicnn.Input((5, 6, 1)), *(make() for make in MAKE), Flatten(), Dense(3)]
    model = minicnn.Sequential(layers)
    model.compile("sgd", "mse")
    y = np.eye(3)[y]
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
    model.save(tmp_path / "model.safetensors")
    loaded = minicnn.load_model(tmp_path / "model.safetensors")
    histories = [m.fit(x, y, batch_size=8, epochs=3, initial_epoch=1, verbose=0).history for m in (model, loaded)]
    assert histories[0] == histories[1]
    for found, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RandomFlip("sideways"), "mode: expected the name of a direction, found 'sideways'"),
        (lambda: RandomTranslation(1.5, 0), "height_factor: expected numbers from -1 to 1, found 1.5"),
        (lambda: RandomTranslation(0, (0.1, 0.2, 0.3)), "width_factor: expected two numbers"),
        (lambda: RandomTranslation(0, 0, "mirror"), "fill_mode: .*'mirror'"),
        (lambda: RandomTranslation(0, 0, interpolation="cubic"), "interpolation: .*'cubic'"),
        (lambda: RandomErasing(-0.5), "factor: expected a finite number of at least 0, found -0.5"),
        (lambda: RandomErasing(scale=(0.1, 2)), r"scale: expected numbers from 0 to 1, found \(0.1, 2\)"),
        (lambda: RandomErasing(value_range=3), "value_range: expected a list of two numbers, found 3"),
        (lambda: RandomFlip().forward(np.ones((2, 28, 28), np.float32)), "channel axis is missing"),
    ],
)
def test_mistakes(make, words):
    with pytest.raises((TypeError, ValueError), match=words):
        make()


def test_a_call_without_training_augments_as_in_keras():
    images = np.arange(64.0, dtype=np.float32).reshape(1, 8, 8, 1)
    flip = RandomFlip(seed=3)
    model = minicnn.Sequential([flip, minicnn.layers.Dropout(0.5)])
    flipped = {tuple(found(images).ravel()) for found in (flip, model) for _ in range(9)}
    assert len(flipped) > 1
    assert all(sorted(pixels) == sorted(images.ravel()) for pixels in flipped)  # dropout does nothing
    np.testing.assert_array_equal(flip(images, training=False), images)
    np.testing.assert_array_equal(model.predict(images), images)


@pytest.mark.parametrize("layer", [RandomFlip, lambda seed: RandomTranslation(0.5, 0.5, seed=seed), RandomErasing])
def test_a_single_image_without_batch_axis(backend, layer):
    """As in Keras: then a layer can be mapped over a data set of images."""
    image = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    np.testing.assert_array_equal(layer(seed=4)(image), layer(seed=4)(image[None])[0])
    np.testing.assert_array_equal(layer(seed=4)(image, training=False), image)
    with pytest.raises(ValueError, match=r"4 axes .*, found 2 axes, shape \(4, 5\)"):
        layer(seed=4)(image[..., 0])
