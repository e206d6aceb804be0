"""The class that Keras's tests derive from, and what they check of every layer and of every configuration."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from absl.testing import parameterized

import minicnn

from .arrays import KerasTensor

other_words: list[tuple[str, str]] = []
"""What errors of the current test say: what Keras's says, and what minicnn's says if it is something else."""


class TestCase(parameterized.TestCase):
    maxDiff = None

    def setUp(self) -> None:
        minicnn.backend.clear_session()
        minicnn.config.set_floatx("float32")

    def get_temp_dir(self) -> str:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        return folder

    def convert_to_numpy(self, x: Any) -> np.ndarray:
        return np.array(x)

    # arrays

    def assertAllClose(self, actual, desired, atol=1e-6, rtol=1e-6, msg=None, **tpu):
        np.testing.assert_allclose(np.array(actual), np.array(desired), rtol, atol, err_msg=msg or "")

    def assertNotAllClose(self, x1, x2, atol=1e-6, rtol=1e-6, msg=None):
        with self.assertRaises(AssertionError, msg=msg):
            self.assertAllClose(x1, x2, atol, rtol)

    def assertAlmostEqual(self, actual, desired, decimal=3, msg=None, **tpu):
        np.testing.assert_almost_equal(np.array(actual), np.array(desired), decimal, err_msg=msg or "")

    def assertAllEqual(self, actual, desired, msg=None):
        np.testing.assert_array_equal(np.array(actual), np.array(desired), err_msg=msg or "")

    def assertLen(self, iterable, expected_len, msg=None):
        assert len(iterable) == expected_len, msg or f"{len(iterable)} items instead of {expected_len}"

    def assertDType(self, x, dtype, msg=None):
        assert str(x.dtype) == dtype, msg or f"{x.dtype} instead of {dtype}"

    def assertFileExists(self, path):
        assert Path(path).is_file(), f"{path} does not exist"

    # errors

    def assertRaisesRegex(self, expected_exception, expected_regex, *args, **kwargs):
        """As unittest's, but other words of an error of the right class are written down instead of a failure."""
        if args:
            with self._raises(expected_exception, expected_regex):
                return args[0](*args[1:], **kwargs)
        return self._raises(expected_exception, expected_regex)

    @contextmanager
    def _raises(self, expected_exception, expected_regex):
        with self.assertRaises(expected_exception) as context:
            yield context
        if not re.search(expected_regex, str(context.exception)):
            other_words.append((getattr(expected_regex, "pattern", expected_regex), str(context.exception)))

    # whole objects

    def run_class_serialization_test(self, instance, custom_objects=None):
        """An object's configuration is plain data, and an object made from it has the same one."""
        config = instance.get_config()
        again = type(instance).from_config(json.loads(json.dumps(config)))
        assert json.dumps(again.get_config(), sort_keys=True) == json.dumps(config, sort_keys=True)
        assert set(dir(again)) == set(dir(instance)), "other attributes after from_config"
        return again

    def run_layer_test(
        self,
        layer_cls,
        init_kwargs=None,
        input_shape=None,
        input_dtype="float32",
        input_data=None,
        call_kwargs=None,
        expected_output_shape=None,
        expected_output_dtype=None,
        expected_output=None,
        expected_num_trainable_weights=None,
        expected_num_non_trainable_weights=None,
        expected_num_losses=None,
        run_training_check=True,
        assert_built_after_instantiation=False,
        **not_checked,
    ):
        """Configuration, weights, a call in a graph, a call on arrays, and one step of training.

        Not checked: masks, mixed precision, sparse arrays and the number of seed generators.
        """
        call_kwargs = call_kwargs or {}

        def made():
            return layer_cls(**(init_kwargs or {}))

        def check_weights(layer):
            assert layer.built, "not built by build or a call"
            if expected_num_trainable_weights is not None:
                self.assertLen(layer.trainable_weights, expected_num_trainable_weights)
            if expected_num_non_trainable_weights is not None:
                self.assertLen(layer.non_trainable_weights, expected_num_non_trainable_weights)

        def check_output(y):
            if expected_output_shape is not None:
                assert _fits(y.shape, expected_output_shape), f"shape {y.shape} instead of {expected_output_shape}"
            if expected_output_dtype is not None:
                self.assertDType(y, expected_output_dtype)

        self.run_class_serialization_test(made())
        if assert_built_after_instantiation:
            assert made().built, "a layer without weights is built from the beginning"
        if input_data is None and input_shape is None:
            return
        x = _example(input_shape, input_dtype) if input_data is None else input_data
        shapes = _shapes(x)

        layer = made()
        layer.build(shapes)
        check_weights(layer)

        layer, symbolic = made(), _each(lambda part: KerasTensor(part.shape), x)
        y = layer(symbolic, **call_kwargs)
        check_weights(layer)
        check_output(y)

        layer = made()
        y = layer(x, **call_kwargs)
        check_output(y)
        if expected_output is not None:
            self.assertAllClose(y, expected_output, msg="another result")
        if expected_num_losses is not None:
            self.assertLen(layer.losses, expected_num_losses)
        if run_training_check:
            inputs = _each(lambda part: minicnn.Input(batch_shape=part.shape), x)
            model = minicnn.Model(inputs, made()(inputs))
            model.compile("sgd", SumOfOutputs())
            model.fit(x, y, epochs=1, verbose=0)


class SumOfOutputs(minicnn.losses.Loss):
    """The sum of all outputs, whatever the targets are."""

    def call(self, y_true, y_pred):
        self.saved = y_pred
        return y_pred.sum()

    def call_backward(self):
        return np.ones_like(self.saved)


def _fits(shape: Any, expected: Any) -> bool:
    """Whether a shape is the expected one, where None stands for any length."""
    return len(shape or ()) == len(expected) and all(b in (a, None) for a, b in zip(shape, expected, strict=True))


def _is_shape(shape: Any) -> bool:
    return all(length is None or isinstance(length, int) for length in shape)


def _example(shape: Any, dtype: Any) -> Any:
    """Numbers of this shape; of several shapes, a list."""
    if _is_shape(shape):
        return (3 * np.random.default_rng(0).random(shape)).astype(dtype or "float32")
    dtypes = dtype if isinstance(dtype, (list, tuple)) else [dtype] * len(shape)
    return [_example(one, of) for one, of in zip(shape, dtypes, strict=True)]


def _each(function: Any, x: Any) -> Any:
    return [function(part) for part in x] if isinstance(x, (list, tuple)) else function(np.asarray(x))


def _shapes(x: Any) -> Any:
    return _each(lambda part: part.shape, x)


def named_product(*groups: Any, **values: Any) -> list[dict[str, Any]]:
    """All combinations of one set of arguments from each group, and of one value of each argument, with their names."""
    named = [
        [{"testcase_name": getattr(value, "__name__", str(value)).lower(), name: value} for value in given]
        for name, given in values.items()
    ]
    combinations = itertools.product(*groups, *named)
    return [
        {
            **{name: value for part in parts for name, value in part.items()},
            "testcase_name": "_".join(part["testcase_name"] for part in parts),
        }
        for parts in combinations
    ]


def get_test_data(train_samples, test_samples, input_shape, num_classes, random_seed=None):
    """Samples around one random point per class, as many of each class: (x, y) to train with, (x, y) to test with."""
    random = np.random.default_rng(random_seed)
    centres = 2 * num_classes * random.random((num_classes, *input_shape))

    def samples(count):
        y = random.permutation(np.arange(count) % num_classes)
        return (centres[y] + random.normal(size=(count, *input_shape))).astype("float32"), y

    return samples(train_samples), samples(test_samples)


def tensorflow_uses_gpu() -> bool:
    return False


uses_gpu = uses_tpu = jax_uses_gpu = jax_uses_tpu = tensorflow_uses_tpu = torch_uses_gpu = tensorflow_uses_gpu
