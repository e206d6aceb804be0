"""ImageDataGenerator, its batches from arrays and folders, and images in files."""

import sys

import numpy as np
import pytest

import minicnn
from minicnn.layers import Conv2D, Dense, Flatten
from minicnn.preprocessing.image import ImageDataGenerator, array_to_img, img_to_array, load_img, save_img

IMAGE = np.arange(12, dtype=np.float32).reshape(3, 4, 1)
"""Rows 0 1 2 3, 4 5 6 7, 8 9 10 11."""


def changed(image=IMAGE, fill_mode="nearest", cval=0.0, **change):
    return ImageDataGenerator(fill_mode=fill_mode, cval=cval).apply_transform(image, change)[..., 0]


def test_without_arguments_images_stay_as_they_are():
    np.testing.assert_array_equal(ImageDataGenerator().random_transform(IMAGE), IMAGE)


@pytest.mark.parametrize(
    ("fill_mode", "rows"),
    [
        ("nearest", [[4, 5, 6, 7], [8, 9, 10, 11], [8, 9, 10, 11]]),
        ("constant", [[4, 5, 6, 7], [8, 9, 10, 11], [-1, -1, -1, -1]]),
        ("reflect", [[4, 5, 6, 7], [8, 9, 10, 11], [8, 9, 10, 11]]),
        ("wrap", [[4, 5, 6, 7], [8, 9, 10, 11], [0, 1, 2, 3]]),
    ],
)
def test_a_shift_along_the_height(fill_mode, rows):
    np.testing.assert_array_equal(changed(fill_mode=fill_mode, cval=-1.0, tx=1), rows)


def test_a_shift_along_the_width_by_half_a_pixel():
    np.testing.assert_array_equal(changed(ty=0.5)[0], [0.5, 1.5, 2.5, 3])


def test_a_quarter_turn():
    square = IMAGE[:, :3]
    np.testing.assert_allclose(changed(square, theta=90), np.rot90(square[..., 0]), atol=1e-5)


def test_a_zoom_keeps_the_middle():
    """Half of the height and of the width is seen: between the pixels, the image is linear."""
    seen = changed(zx=0.5, zy=0.5)
    np.testing.assert_allclose(seen.mean(), IMAGE.mean())
    np.testing.assert_allclose(np.diff(seen, axis=0), 2)
    np.testing.assert_allclose(np.diff(seen, axis=1), 0.5)


def test_flips():
    np.testing.assert_array_equal(changed(flip_horizontal=True), IMAGE[:, ::-1, 0])
    np.testing.assert_array_equal(changed(flip_vertical=True), IMAGE[::-1, :, 0])


def test_random_changes_stay_in_their_range():
    generator = ImageDataGenerator(
        rotation_range=10, width_shift_range=0.25, height_shift_range=[1, 2], shear_range=5, zoom_range=0.2
    )
    drawn = [generator.get_random_transform((3, 4, 1), seed) for seed in range(200)]
    limits = {"theta": (-10, 10), "ty": (-1, 1), "shear": (-5, 5), "zx": (0.8, 1.2), "zy": (0.8, 1.2)}
    for name, (low, high) in limits.items():
        values = [change[name] for change in drawn]
        assert low <= min(values) < low + (high - low) / 10, name
        assert high >= max(values) > high - (high - low) / 10, name
    assert {change["tx"] for change in drawn} == {-2, -1, 1, 2}
    assert not any(change["flip_horizontal"] or change["flip_vertical"] for change in drawn)


def test_a_seed_repeats_a_change():
    generator = ImageDataGenerator(rotation_range=90, channel_shift_range=1.0)
    np.testing.assert_array_equal(generator.random_transform(IMAGE, seed=3), generator.random_transform(IMAGE, seed=3))
    assert (generator.random_transform(IMAGE, seed=3) != generator.random_transform(IMAGE, seed=4)).any()


def test_normalisation():
    x = np.random.default_rng(0).normal(3, 2, (50, 4, 5, 2))
    measured = ImageDataGenerator(featurewise_center=True, featurewise_std_normalization=True)
    measured.fit(x)
    batch = measured.flow(x, batch_size=50)[0]
    np.testing.assert_allclose(batch.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(batch.std(axis=(0, 1, 2)), 1, atol=1e-5)
    each = ImageDataGenerator(samplewise_center=True, samplewise_std_normalization=True).flow(x, batch_size=50)[0]
    np.testing.assert_allclose(each.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(each.std(axis=(1, 2, 3)), 1, atol=1e-5)


def test_preprocessing_comes_before_rescale():
    generator = ImageDataGenerator(rescale=0.5, preprocessing_function=lambda image: image + 2)
    np.testing.assert_array_equal(generator.flow(IMAGE[None])[0][0], (IMAGE + 2) / 2)


def numbered(samples):
    """Images whose pixels are all the number of the image."""
    return np.broadcast_to(np.arange(samples, dtype=np.float32)[:, None, None, None], (samples, 3, 4, 1))


def test_batches_keep_images_and_targets_together():
    flow = ImageDataGenerator().flow(numbered(7), np.arange(7) * 10, batch_size=3, sample_weight=np.arange(7) + 100.0)
    batches = [flow[number] for number in range(len(flow))]
    assert [len(x) for x, _, _ in batches] == [3, 3, 1]
    for x, y, weight in batches:
        np.testing.assert_array_equal(x[:, 0, 0, 0] * 10, y)
        np.testing.assert_array_equal(x[:, 0, 0, 0] + 100, weight)
    seen = np.concatenate([y for _, y, _ in batches])
    assert sorted(seen) == [0, 10, 20, 30, 40, 50, 60]


def test_shuffling():
    kept = ImageDataGenerator().flow(numbered(20), batch_size=20, shuffle=False)
    np.testing.assert_array_equal(next(kept)[:, 0, 0, 0], np.arange(20))
    mixed = ImageDataGenerator().flow(numbered(20), batch_size=20, seed=1)
    first, second = next(mixed)[:, 0, 0, 0], next(mixed)[:, 0, 0, 0]
    assert sorted(first) == sorted(second) == list(range(20))
    assert list(first) != list(second)


def test_next_goes_on_for_ever_and_reset_begins_again():
    flow = ImageDataGenerator().flow(numbered(5), batch_size=2, shuffle=False)
    sizes = [len(batch) for batch, _ in zip(flow, range(7), strict=False)]
    assert sizes == [2, 2, 1, 2, 2, 1, 2]
    flow.reset()
    np.testing.assert_array_equal(next(flow)[:, 0, 0, 0], [0, 1])


def test_subsets():
    generator = ImageDataGenerator(validation_split=0.4)
    y = np.arange(5)
    _, validation = next(generator.flow(numbered(5), y, shuffle=False, subset="validation"))
    _, training = next(generator.flow(numbered(5), y, shuffle=False, subset="training"))
    assert (list(validation), list(training)) == ([0, 1], [2, 3, 4])


def classifier(shape=(6, 5, 1)):
    model = minicnn.Sequential([minicnn.Input(shape), Conv2D(2, 3), Flatten(), Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_a_model_trains_on_changed_images():
    rng = np.random.default_rng(0)
    x, y = rng.random((20, 6, 5, 1)), rng.integers(2, size=20)
    generator = ImageDataGenerator(rotation_range=20, zoom_range=0.1, horizontal_flip=True)
    model = classifier()
    history = model.fit(generator.flow(x, y, batch_size=8), epochs=2, validation_data=(x, y), verbose=0)
    assert set(history.history) == {"accuracy", "loss", "val_accuracy", "val_loss"}
    assert model.optimizer.iterations == 2 * 3
    plain = ImageDataGenerator().flow(x, y, batch_size=8, shuffle=False)
    assert model.evaluate(plain, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-5)


def test_the_seed_of_all_random_numbers_also_counts_here():
    first, second = (_first_batch(seed=3) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (first != _first_batch(seed=4)).any()


def _first_batch(seed):
    minicnn.set_random_seed(seed)
    return next(ImageDataGenerator(rotation_range=30).flow(numbered(9)))


@pytest.fixture
def folder(tmp_path):
    """Two folders of images (6, 5): three grey cats, two white dogs."""
    pytest.importorskip("PIL")
    for name, count, grey in (("cats", 3, 100), ("dogs", 2, 255)):
        (tmp_path / name).mkdir()
        for number in range(count):
            save_img(tmp_path / name / f"{number}.png", np.full((6, 5, 1), grey, np.float32), scale=False)
        (tmp_path / name / "notes.txt").write_text("not an image")
    return tmp_path


def test_images_of_a_directory(folder, capsys):
    flow = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
        folder, target_size=(6, 5), color_mode="grayscale", class_mode="binary", batch_size=5, shuffle=False
    )
    assert capsys.readouterr().out == "Found 5 images belonging to 2 classes.\n"
    assert flow.class_indices == {"cats": 0, "dogs": 1}
    assert (flow.samples, flow.num_classes, flow.image_shape, len(flow)) == (5, 2, (6, 5, 1), 1)
    x, y = flow[0]
    np.testing.assert_array_equal(y, [0, 0, 0, 1, 1])
    np.testing.assert_allclose(x[:, 3, 2, 0], [100 / 255] * 3 + [1] * 2, rtol=1e-6)
    classifier().fit(flow, verbose=0)


@pytest.mark.parametrize(
    ("class_mode", "targets"), [("categorical", [[1, 0]] * 3 + [[0, 1]] * 2), ("sparse", [0, 0, 0, 1, 1])]
)
def test_class_modes(folder, class_mode, targets):
    flow = ImageDataGenerator().flow_from_directory(folder, (4, 4), class_mode=class_mode, shuffle=False)
    x, y = next(flow)
    np.testing.assert_array_equal(y, targets)
    assert x.shape == (5, 4, 4, 3)


def test_images_without_targets_and_as_targets(folder):
    alone = next(ImageDataGenerator().flow_from_directory(folder, (4, 4), class_mode=None))
    assert alone.shape == (5, 4, 4, 3)
    x, y = next(ImageDataGenerator().flow_from_directory(folder, (4, 4), class_mode="input"))
    np.testing.assert_array_equal(x, y)


def test_subsets_of_a_directory_take_the_share_of_each_class(folder):
    generator = ImageDataGenerator(validation_split=0.5)
    flows = [generator.flow_from_directory(folder, (4, 4), subset=name) for name in ("validation", "training")]
    assert [list(flow.classes) for flow in flows] == [[0, 1], [0, 0, 1]]


def test_images_in_files(tmp_path):
    pytest.importorskip("PIL")
    x = np.random.default_rng(0).integers(256, size=(6, 4, 3)).astype(np.float32)
    save_img(tmp_path / "image.png", x, scale=False)
    found = img_to_array(load_img(tmp_path / "image.png"))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, x)
    assert img_to_array(load_img(tmp_path / "image.png", color_mode="grayscale", target_size=(3, 2))).shape == (3, 2, 1)
    middle = load_img(tmp_path / "image.png", target_size=(4, 4), keep_aspect_ratio=True)
    np.testing.assert_array_equal(img_to_array(middle), x[1:5])


def test_an_array_is_stretched_to_all_levels():
    pytest.importorskip("PIL")
    np.testing.assert_array_equal(np.asarray(array_to_img([[-1.0, 0.0, 1.0]])), [[0, 127, 255]])
    np.testing.assert_array_equal(np.asarray(array_to_img([[7.0, 7.0]])), [[0, 0]])


def test_without_pillow(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r'load_img needs PIL.Image.*pip install "minicnn-edu\[images\]"'):
        load_img("image.png")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ImageDataGenerator(fill_mode="mirror"), "fill_mode: .*'mirror'"),
        (lambda: ImageDataGenerator(zoom_range=(0.5, 1, 2)), "zoom_range: expected a number, or two"),
        (lambda: ImageDataGenerator(zca_whitening=True), "zca_whitening: .*preprocessing_function"),
        (lambda: ImageDataGenerator(data_format="channels_first"), "data_format: .*moveaxis"),
        (lambda: ImageDataGenerator().flow(IMAGE), r"flow: expected images \(N, H, W, C\), found shape \(3, 4, 1\)"),
        (lambda: ImageDataGenerator().flow(IMAGE[None], [1, 2]), "expected as many targets as images, 1, found 2"),
        (lambda: ImageDataGenerator().flow(IMAGE[None], subset="test"), "subset: .*'test'"),
        (lambda: ImageDataGenerator().flow(IMAGE[None], subset="validation"), "at least one image, found none"),
        (lambda: ImageDataGenerator(featurewise_center=True).flow(IMAGE[None])[0], r"Call generator.fit\(x\)"),
        (lambda: ImageDataGenerator().flow_from_directory("nowhere", classes=["a"]), "nowhere.* is no folder"),
        (
            lambda: ImageDataGenerator().flow_from_directory("tests", classes=[], class_mode="int"),
            "class_mode: .*'int'",
        ),
        (lambda: img_to_array(np.zeros((2, 3, 3, 1))), r"expected one image \(H, W, C\)"),
        (lambda: array_to_img(np.zeros((2, 3, 2))), "1, 3 or 4 channels"),
        (lambda: load_img("image.png", color_mode="cmyk"), "color_mode: .*'cmyk'"),
    ],
)
def test_mistakes(make, words):
    with pytest.raises((ValueError, OSError), match=words):
        make()
