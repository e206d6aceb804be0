"""Initialisers: their variance is the documented one, and a seed makes them repeat."""

from __future__ import annotations

import numpy as np
import pytest

import minicnn
from minicnn import initializers
from minicnn.initializers import Constant, GlorotUniform, HeNormal, RandomNormal, RandomUniform
from minicnn.layers import Dense

SHAPE = (3, 3, 40, 60)  # fan_in 360, fan_out 540


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("glorot_uniform", 2 / 900),
        ("glorot_normal", 2 / 900),
        ("he_uniform", 2 / 360),
        ("he_normal", 2 / 360),
        ("lecun_uniform", 1 / 360),
        ("lecun_normal", 1 / 360),
        ("random_normal", 0.05**2),
        ("normal", 0.05**2),
        ("random_uniform", 0.05**2 / 3),
        ("uniform", 0.05**2 / 3),
        ("truncated_normal", (0.05 * 0.8796) ** 2),
        ("variance_scaling", 1 / 360),
    ],
)
def test_variance(name, variance):
    values = initializers.get(name)(SHAPE)  # 21,600 draws: the variance is right to about 1 %
    assert values.shape == SHAPE
    assert abs(values.mean()) < 4 * np.sqrt(variance / values.size)
    assert values.var() == pytest.approx(variance, rel=0.05)


@pytest.mark.parametrize(("mode", "n"), [("fan_in", 360), ("fan_out", 540), ("fan_avg", 450)])
@pytest.mark.parametrize("distribution", ["truncated_normal", "untruncated_normal", "uniform"])
def test_variance_scaling(mode, n, distribution):
    values = initializers.VarianceScaling(3.0, mode, distribution, seed=1)(SHAPE)
    assert values.var() == pytest.approx(3 / n, rel=0.05)


def test_named_ones_are_variance_scaling():
    he = initializers.VarianceScaling(2.0, "fan_in", "truncated_normal", seed=1)
    np.testing.assert_array_equal(HeNormal(seed=1)(SHAPE), he(SHAPE))
    assert HeNormal(seed=1).get_config() == {"seed": 1}


def test_limits():
    assert np.abs(GlorotUniform()(SHAPE)).max() <= np.sqrt(6 / 900)
    assert np.abs(HeNormal()(SHAPE)).max() <= 2 * np.sqrt(2 / 360) / 0.8796
    assert np.abs(initializers.TruncatedNormal(1, 0.5)(SHAPE) - 1).max() <= 1
    assert np.abs(RandomUniform(1, 2)((100,)) - 1.5).max() <= 0.5


def test_constants():
    np.testing.assert_array_equal(initializers.get("zeros")((2,)), 0)
    np.testing.assert_array_equal(initializers.get("ones")((2,)), 1)
    np.testing.assert_array_equal(Constant(7)((2,)), 7)


def test_a_constant_array(tmp_path):
    """An array is broadcast to the shape: one number for each output, or a whole kernel."""
    np.testing.assert_array_equal(Constant([1, 2])((3, 2)), [[1, 2]] * 3)
    with pytest.raises(ValueError, match=r"Constant: expected a value for the shape \(3,\), found shape \(2,\)"):
        Constant([1, 2])((3,))
    edges = np.array([[1.0, 0.0], [-1.0, 0.5]], np.float32)
    model = minicnn.Sequential(
        [minicnn.Input((2,)), Dense(2, kernel_initializer=Constant(edges), bias_initializer=Constant(edges[1]))]
    )
    for one in (model, minicnn.models.model_from_json(model.to_json())):
        np.testing.assert_array_equal(one.get_weights()[0], edges)
        np.testing.assert_array_equal(one.get_weights()[1], edges[1])


@pytest.mark.parametrize("bad", [True, "1", None, np.nan, 1e300, [np.nan], ["1"], [[1], [1, 2]]], ids=str)
def test_a_constant_that_is_no_number(bad):
    with pytest.raises((ValueError, TypeError), match="Constant value: expected .*, found"):
        Constant(bad)


def test_a_function_is_an_initialiser():
    def staircase(shape, dtype=None):
        return np.arange(np.prod(shape), dtype=dtype).reshape(shape)

    layer = Dense(2, kernel_initializer=staircase, dtype="float64")
    layer.ensure_built((None, 3))
    np.testing.assert_array_equal(layer.get_weights()[0], [[0, 1], [2, 3], [4, 5]])
    with pytest.raises(TypeError, match="initializer: expected a function of shape, dtype, found"):
        initializers.get(lambda shape: np.ones(shape))


def test_the_dtype():
    assert GlorotUniform()((2, 3)).dtype == "float32"
    assert GlorotUniform()(shape=(2, 3), dtype="float64").dtype == "float64"
    with pytest.raises(ValueError, match="Ones dtype: expected dtype float32 or float64, found 'int32'"):
        initializers.Ones()((2,), "int32")


def test_own_seeds_repeat_and_the_common_seed_makes_all_repeat():
    np.testing.assert_array_equal(RandomNormal(seed=1)(SHAPE), RandomNormal(seed=1)(SHAPE))
    draws = []
    for _ in range(2):
        minicnn.set_random_seed(7)
        draws.append([GlorotUniform()((5,)), GlorotUniform()((5,))])
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0][0] != draws[0][1]).any()


def test_layers_take_names_objects_and_descriptions():
    for initializer in ("ones", "one", initializers.Ones, Constant(1), Constant(1).describe()):
        layer = Dense(2, kernel_initializer=initializer)
        layer.ensure_built((None, 3))
        np.testing.assert_array_equal(layer.get_weights()[0], 1)


def test_unknown_ones():
    with pytest.raises(ValueError, match="Did you mean 'he_normal'"):
        initializers.get("henormal")
    with pytest.raises(ValueError, match="fan_avg, fan_in, fan_out"):
        initializers.VarianceScaling(mode="fan")
    with pytest.raises(TypeError, match=r"Zeros.*value=3"):
        initializers.Zeros(value=3)
