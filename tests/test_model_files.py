"""Crafted and damaged model files: each is refused with a ModelFileError, or is the same model."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import tracemalloc

import numpy as np
import pytest
from safetensors.numpy import load, load_file, save

from minicnn import Input, ModelFileError, NonFiniteError, Sequential, load_model, set_random_seed, tensor_file
from minicnn.callbacks import EarlyStopping, ModelCheckpoint
from minicnn.layers import Conv1D, Dense, Dropout, Flatten
from minicnn.optimizers import SGD

X, Y = np.random.default_rng(0).normal(size=(8, 5, 2)), np.eye(3)[np.arange(8) % 3]


def watchers(folder):
    best = folder / "best.safetensors"
    return [EarlyStopping("loss", patience=3, restore_best_weights=True), ModelCheckpoint(best, "loss", 0, True)]


def build():
    layers = [Conv1D(2, 3, activation="relu"), Flatten(), Dropout(0.5), Dense(3, use_bias=False)]
    return Sequential([Input((5, 2)), *layers])


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The bytes of a whole model, with optimiser, callbacks and history."""
    folder = tmp_path_factory.mktemp("original")
    set_random_seed(1)
    model = build()
    model.compile(SGD(0.01, momentum=0.9), "mse", metrics=["accuracy"])
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0, callbacks=watchers(folder))
    model.save(folder / "model.safetensors")
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def test_a_header_whose_length_begins_like_a_zip_archive(path):
    """A file begins with the length of its header: 19,280 bytes are the letters PK, with which archives begin."""
    tensor_file.write(path, {"text": ""})
    padding = int.from_bytes(b"PK", "little") - int.from_bytes(path.read_bytes()[:8], "little")
    tensor_file.write(path, {"text": padding * "x"})
    assert path.read_bytes().startswith(b"PK")
    assert tensor_file.read(path) == {"text": padding * "x"}


def header_of(data):
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])


def content_of(data):
    return json.loads(header_of(data)["__metadata__"]["content"])


def with_header(data, header):
    """The file with another header and the same arrays."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + int.from_bytes(data[:8], "little") :]


def sealed(data, content):
    """The file with another description, its digest correct."""
    text = content if isinstance(content, str) else json.dumps(content)
    metadata = {**header_of(data)["__metadata__"], "content": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    return with_header(data, {**header_of(data), "__metadata__": metadata})


def refused(path, data):
    path.write_bytes(data)
    try:
        load_model(path)
    except ModelFileError as error:
        return str(error).startswith(str(path))
    return False


def test_the_original_is_read(original, path):
    path.write_bytes(original)
    model = load_model(path)
    assert model.predict(X).shape == (8, 3)
    path.write_bytes(sealed(original, content_of(original)))
    np.testing.assert_array_equal(load_model(path).predict(X), model.predict(X))


def test_other_programs_find_the_arrays(original, path):
    path.write_bytes(original)
    arrays, model = load_file(path), load_model(path)
    for weight in model.weights:
        np.testing.assert_array_equal(arrays[f"weights/{weight.name}"], weight.value)


@pytest.mark.parametrize("first", range(3))
def test_one_flipped_bit_anywhere(original, path, first):
    for place in [*range(8), *range(8 + first, len(original), 11)]:
        data = bytearray(original)
        data[place] ^= 1 << place % 8
        assert refused(path, data), f"byte {place}"


def test_the_error_does_not_repeat_a_header_that_is_no_text(original, path):
    damaged = bytearray(original)
    damaged[100] = 0xFF
    path.write_bytes(damaged)
    with pytest.raises(ModelFileError) as caught:
        load_model(path)
    assert len(str(caught.value)) < len(str(path)) + 500


def test_the_time_to_read_a_model_grows_linearly_with_its_depth(path, monkeypatch):
    Sequential([Input((3,)), *(Dropout(0.5) for _ in range(50))]).save(path)
    asked = []
    monkeypatch.setattr(Dropout, "compute_output_shape", lambda layer, shape: asked.append(layer) or shape)
    model = load_model(path)
    assert len(asked) <= 4 * len(model.layers)


def test_truncated_or_too_long_anywhere(original, path):
    for length in [*range(50), *range(50, len(original), 61)]:
        assert refused(path, original[:length]), length
    for tail in (b"\0", b"}", bytes(4096), original):
        assert refused(path, original + tail)


def nodes(node, path=()):
    """The paths of all nodes of JSON data."""
    yield path
    for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield from nodes(node[key], (*path, key))


def replaced(node, path, value):
    changed = copy.deepcopy(node)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


VALUES = [None, "other", [], {}, [1], {"a": 1}, True, -1, 0, 0.5, 1e30, 10**12, 10**40, float("nan")]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # a learning rate of 1e30, say
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_any_field_replaced_by_something_else(original, path, value):
    """The digests are correct, as in a forged file. A change without a contradiction is read as another model."""
    content, sentences = content_of(original), []
    for place in nodes(content):
        if not place:
            continue
        forged = replaced(content, place, value)
        if refused(path, sealed(original, forged)):
            continue
        model = load_model(path)
        model.save(path.with_name("again"))
        assert content_of(path.with_name("again").read_bytes()) == forged, place
        model.predict(X[:, : model.input_shape[1]])
        try:
            model.fit(X, Y, epochs=3, initial_epoch=2, verbose=0, callbacks=watchers(path.parent))
        except NonFiniteError:
            pass
        except ValueError as error:
            sentences.append(str(error))
    assert all(": expected" in sentence for sentence in sentences)


@pytest.mark.parametrize("change", ["removed", "doubled", "renamed"])
def test_any_field_removed_doubled_or_renamed(original, path, change):
    content = content_of(original)
    for *way, key in filter(None, nodes(content)):
        forged = copy.deepcopy(content)
        inner = forged
        for step in way:
            inner = inner[step]
        if change == "doubled" and isinstance(inner, list):
            inner.append(inner[key])
        elif change == "renamed" and isinstance(inner, dict):
            inner[f"{key}_"] = inner.pop(key)
        elif change == "removed":
            del inner[key]
        else:
            continue
        if refused(path, sealed(original, forged)):
            continue
        load_model(path).save(path.with_name("again"))
        assert content_of(path.with_name("again").read_bytes()) == forged, (way, key)


def test_any_entry_of_the_directory_changed(original, path):
    header = header_of(original)
    names = [name for name in header if name != "__metadata__"]
    for name in names:
        entry = header[name]
        begin, end = entry["data_offsets"]
        other = header[names[names.index(name) - 1]]
        for key, value in [
            ("dtype", "F64"), ("dtype", "I32"), ("dtype", "BF16"), ("dtype", "F8_E4M3"), ("dtype", None), ("dtype", 4),
            ("shape", []), ("shape", [*entry["shape"], 1]), ("shape", [1, *entry["shape"]]), ("shape", [-1]),
            ("shape", [2**62, 4]), ("shape", [2**64]), ("shape", "3"), ("shape", None), ("shape", [0.5]),
            ("data_offsets", [begin, end + 1]), ("data_offsets", [begin + 1, end]), ("data_offsets", [end, begin]),
            ("data_offsets", other["data_offsets"]), ("data_offsets", [begin, 2**64]), ("data_offsets", [-1, end]),
            ("data_offsets", [begin]), ("data_offsets", None), ("data_offsets", "ab"),
        ]:  # fmt: skip
            if (key, value) not in entry.items():
                assert refused(path, with_header(original, {**header, name: {**entry, key: value}})), (name, key, value)
        assert refused(path, with_header(original, {key: value for key, value in header.items() if key != name}))
        assert refused(path, with_header(original, {**header, f"{name}_": header[name]}))
        text = json.dumps(header)
        assert refused(path, with_header(original, (text[:-1] + f', "{name}": {json.dumps(entry)}}}').encode()))


@pytest.mark.parametrize("key", ["format", "version", "content", "sha256"])
def test_any_text_of_the_metadata_changed(original, path, key):
    header = header_of(original)
    for value in ("", "1", "99", "minicnn model", "{}", "[]", "null", "[" * 5000, None, 2, {}, ["2"], "\ud800"):
        metadata = {**header["__metadata__"], key: value}
        assert refused(path, with_header(original, {**header, "__metadata__": metadata}))
        if key == "content" and isinstance(value, str) and value != "\ud800":
            assert refused(path, sealed(original, value))
    for metadata in (None, {}, [], "minicnn", {**header["__metadata__"], "more": "text"}):
        assert refused(path, with_header(original, {**header, "__metadata__": metadata}))


def test_two_arrays_that_are_exchanged(original, path):
    arrays = load(original)
    for one, two in [("dense/kernel", "conv1d/kernel"), ("conv1d/bias", "conv1d/kernel")]:
        one, two = (f"optimizer/slots/velocities/{name}" for name in (one, two))
        swapped = {**arrays, one: arrays[two], two: arrays[one]}
        assert refused(path, save(swapped, header_of(original)["__metadata__"]))


def place(name, shape, dtype="float32"):
    return {"array": name, "dtype": dtype, "shape": shape, "sha256": "0" * 64}


def bombs(original):
    """Small files that declare large contents."""
    content, header = content_of(original), header_of(original)
    weights = content["weights"]
    for index, key in [(0, "filters"), (0, "kernel_size"), (3, "units")]:
        for value in (10**6, 10**9, 2**31 - 1, 10**12, 2**63):
            yield sealed(original, replaced(content, ("layers", index, "config", key), value))
    for lengths in ([None, 10**12, 2], [None, 5, 10**12], [None, 10**9, 10**9]):
        yield sealed(original, {**content, "input_shape": lengths, "built_for": lengths})
        config = {"scale": False, "center": False, "name": "alone", "dtype": "float32", "trainable": True}
        alone = {"class": "BatchNormalization", "config": config, "state": {}}
        lonely = {**content, "layers": [alone], "input_shape": lengths, "built_for": lengths}
        yield sealed(original, lonely)
        big = {name: place(f"weights/{name}", lengths[1:]) for name in weights}
        yield sealed(original, {**content, "input_shape": lengths, "built_for": lengths, "weights": big})
    for shape in ([2**40], [2**20, 2**20], [2**62], [0, 2**63], [10**12, 0]):
        changed = {
            **header["weights/dense/kernel"],
            "shape": shape,
            "data_offsets": [0, 4 * int(np.prod(shape, dtype=object))],
        }
        yield with_header(original, {**header, "weights/dense/kernel": changed})
        yield sealed(original, replaced(content, ("weights", "dense/kernel"), place("weights/dense/kernel", shape)))
    for length in (2**21 + 1, 2**30, 2**40, 2**63, 2**64 - 1):
        yield length.to_bytes(8, "little") + original[8:]
    for text in ("[" * (1 << 20), "{}," * (1 << 16), '{"a":' * 10_000, f"[{'[],' * 150_000}[]]", "9" * (1 << 20)):
        yield sealed(original, text)
    yield with_header(original, ("{}," * (1 << 16)).encode())
    yield sealed(original, json.dumps(content)[:-1] + f', "more": [{"[]," * 100_000}[]]}}')
    deep = []
    for _ in range(200):
        deep = [deep]
    yield sealed(original, replaced(content, ("callbacks", "EarlyStopping", "wait"), deep))


def test_bombs_take_no_memory(original, path):
    load_model_of(original, path)  # what is imported and compiled once
    for number, data in enumerate(bombs(original)):
        tracemalloc.start()
        try:
            assert refused(path, data), number
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 64 << 20, (number, peak)


def load_model_of(data, path):
    path.write_bytes(data)
    return load_model(path)


@pytest.mark.skipif(os.name != "posix", reason="sparse files")
def test_a_huge_file_is_refused_by_its_header(original, path):
    """The file has a size of 1 TiB, of which nothing is read."""
    path.write_bytes(original)
    os.truncate(path, 1 << 40)
    with pytest.raises(ModelFileError, match="bytes of arrays where"):
        load_model(path)


class TestWeights:
    """load_weights takes what fits in name, shape and dtype, or changes nothing."""

    @pytest.mark.parametrize(
        ("layer", "words"),
        [
            (Dense(2, name="dense"), r"dense/kernel: expected float32 \(4, 2\), found float32 \(4, 3\)"),
            (Dense(3, name="last"), "expected 2 arrays, last/kernel, last/bias, found dense/kernel, dense/bias"),
            (Dense(3, use_bias=False), "expected 1 arrays, dense/kernel, found"),
            (Dense(3, dtype="float64"), "dense/kernel: expected float64"),
        ],
    )
    def test_that_do_not_fit(self, path, layer, words):
        Sequential([Input((4,)), Dense(3)]).save_weights(path)
        model = Sequential([Input((4,)), layer])
        before = model.get_weights()
        with pytest.raises(ModelFileError, match=words):
            model.load_weights(path)
        for mine, its in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, its)

    def test_in_damaged_files(self, original, path):
        model = build()
        before = model.get_weights()
        for place in range(0, len(original), 41):
            data = bytearray(original)
            data[place] ^= 4
            path.write_bytes(data)
            with pytest.raises(ModelFileError):
                model.load_weights(path)
        tensor_file.write(path, {"name": "x", "weights": [np.ones(3)]})
        with pytest.raises(ModelFileError, match="found"):
            model.load_weights(path)
        for mine, its in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, its)


class TestWhatCannotBeWritten:
    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ({"a": {"b": float("nan")}}, "a/b: expected plain data"),
            ({"a": [0, float("inf")]}, "a/1: expected plain data"),
            ({"a": {"b": object()}}, "a/b: expected plain data"),
            ({"a": np.array(["text"])}, "a: expected one array of numbers"),
            ({"a/b": np.ones(2), "a": {"b": np.ones(2)}}, "a/b: expected one array"),
            ({"a": {"array": 1}}, 'strings other than "array"'),
            ({"a": {1: 2}}, "as keys"),
            ({"a": 2**200}, "an integer of more than"),
            ({"a": json.loads("[" * 50 + "]" * 50)}, "nested deeper than 32"),
            ({"a": "x" * (3 << 20)}, "a description of at most"),
        ],
    )
    def test_is_refused_before_the_old_file_is_touched(self, path, content, words):
        path.write_bytes(b"old")
        with pytest.raises(ValueError, match=words):
            tensor_file.write(path, content)
        assert path.read_bytes() == b"old"
        assert os.listdir(path.parent) == [path.name]


def test_arrays_of_all_kinds_come_back(path):
    arrays = {
        dtype: np.arange(6).reshape(2, 3).astype(dtype)
        for dtype in ("bool", "int8", "uint16", "int32", "uint64", "float16", "float32", "float64", ">f4", ">i8")
    }
    arrays |= {"scalar": np.array(2.5), "empty": np.ones((0, 3)), "transposed": np.arange(6.0).reshape(2, 3).T}
    arrays["special"] = np.array([np.nan, -np.inf, -0.0])
    tensor_file.write(path, {"list": [{"arrays": arrays}], "number": np.float32(0.1), "flag": np.bool_(True)})
    read = tensor_file.read(path)
    for name, array in arrays.items():
        again = read["list"][0]["arrays"][name]
        assert again.shape == array.shape
        assert again.dtype == array.dtype.newbyteorder("=")
        assert again.tobytes() == array.astype(array.dtype.newbyteorder("=")).tobytes()
    assert (read["number"], read["flag"]) == (float(np.float32(0.1)), True)
