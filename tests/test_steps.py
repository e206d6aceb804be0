"""The steps from loops to the fast kernel: every one is the textbook's convolution."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from minicnn.backends import textbook

STEPS = Path(__file__).resolve().parents[1] / "docs" / "steps"
SHAPES = [((2, 7, 6, 3), (3, 3, 3, 5)), ((1, 3, 3, 1), (3, 3, 1, 1)), ((3, 6, 10, 2), (3, 3, 2, 35))]
OTHER_KERNELS = [((2, 5, 6, 3), (2, 3, 3, 4)), ((2, 4, 5, 2), (1, 1, 2, 70))]


@pytest.mark.parametrize("file", sorted(path.name for path in STEPS.glob("step*.py")))
def test_each_step_is_the_textbook_s_convolution(file, request, monkeypatch):
    monkeypatch.syspath_prepend(STEPS)
    if file >= "step3":
        request.getfixturevalue("needs_numba")
    convolution = runpy.run_path(str(STEPS / file))["convolution"]
    rng = np.random.default_rng(0)
    for x_shape, kernel_shape in SHAPES + OTHER_KERNELS * (file != "step5_winograd.py"):
        x, kernel = rng.standard_normal(x_shape).astype("float32"), rng.standard_normal(kernel_shape).astype("float32")
        expected, _ = textbook.conv2d(x, kernel, None, (1, 1), "valid", "linear")
        y = convolution(x, kernel)
        assert y.dtype == "float32"
        assert np.abs(y - expected).max() < 1e-4


def test_a_line_of_the_table_compares_with_the_step_before(capsys):
    measure = runpy.run_path(str(STEPS / "measure.py"))
    measure["show"]({"slow": [4e-3, 2e-3], "fast": [1e-3, 5e-4]})
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["slow", "2,000", f"{measure['FLOP'] / 2e-3 / 1e9:.3g}"]
    assert lines[2].split()[-1] == "4.0"
