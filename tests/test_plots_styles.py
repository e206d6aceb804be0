"""All figures are legible in both styles and in grey, name their axes, and use no global state."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from minicnn import Input, Sequential, plots
from minicnn.layers import Conv1D, Dense, Flatten
from minicnn.plots import styles

pytest.importorskip("matplotlib")

from matplotlib.colors import to_rgb
from matplotlib.text import Text

NAMES = ["cat", "dog", "mouse"]
RNG = np.random.default_rng(0)
Y = RNG.integers(0, 3, 30)
SCORES = (RNG.random((2, 30, 3)) + np.eye(3)[Y]) / 2
P = SCORES[0]
IMAGES = RNG.random((30, 6, 5))
HISTORY = {"loss": [1.5, 0.75], "accuracy": [0.25, 0.5], "val_loss": [1.25, 0.875], "val_accuracy": [0.375, 0.5]}
MODEL = Sequential([Input((6, 5)), Conv1D(4, 2), Flatten(), Dense(3, activation="softmax")])
MODEL.compile("sgd", "sparse_categorical_crossentropy")

FIGURES = {
    "calibration": lambda **style: plots.plot_calibration(Y, P, **style),
    "class cutoff curves": lambda **style: plots.plot_class_cutoff_curves(Y, SCORES, NAMES, **style),
    "classification report": lambda **style: plots.plot_classification_report(Y, P.argmax(1), NAMES, **style),
    "comparison": lambda **style: plots.plot_comparison({"a": [0.5, 0.6], "b": [0.7]}, reference={"b": 0.6}, **style),
    "confident mistakes": lambda **style: plots.plot_confident_mistakes(IMAGES, Y, P[:, ::-1], NAMES, count=4, **style),
    "confusion matrix": lambda **style: plots.plot_confusion_matrix(Y, P.argmax(1), NAMES, **style),
    "cutoff curves": lambda **style: plots.plot_cutoff_curves(Y, {"average": SCORES, "maximum": P}, **style),
    "flow": lambda **style: plots.plot_flow(MODEL, IMAGES[:1], Y[:1], NAMES, **style),
    "gradients": lambda **style: plots.plot_gradients(MODEL, IMAGES[:2], Y[:2], 0, **style),
    "history": lambda **style: plots.plot_history(HISTORY, **style),
    "kernel": lambda **style: plots.plot_kernels(MODEL, 0, **style),
    "learning curves": lambda **style: plots.plot_learning_curves({"a": [HISTORY] * 2}, **style),
    "pixel summary": lambda **style: plots.plot_pixel_summary(IMAGES, Y, NAMES, **style),
    "report beside another": lambda **style: plots.plot_classification_report(
        Y, P.argmax(1), NAMES, reference=np.full((3, 3), 0.8), **style
    ),
    "ROC curves": lambda **style: plots.plot_roc_curves(Y, P, NAMES, **style),
    "samples": lambda **style: plots.plot_samples(IMAGES, Y, NAMES, **style),
}


def luminance(colour):
    """WCAG's relative luminance: the colour's brightness in grey."""
    channels = np.array(to_rgb(colour))
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4) @ (
        0.2126,
        0.7152,
        0.0722,
    )


def contrast(one, other):
    dark, bright = sorted([luminance(one), luminance(other)])
    return (bright + 0.05) / (dark + 0.05)


def below(text):
    """The background of a text: the colour of its cell in a heat map, else that of the figure."""
    figure = text.get_figure()
    if text.axes in figure.axes and text in text.axes.texts and text.get_transform() == text.axes.transData:
        column, row = (round(number) for number in text.get_position())
        for picture in reversed(text.axes.images):
            if not np.ma.getmaskarray(picture.get_array())[row, column]:
                return picture.to_rgba(picture.get_array())[row, column, :3]
    return figure.get_facecolor()[:3]


@pytest.mark.parametrize("style", ["light", "dark"])
@pytest.mark.parametrize("name", FIGURES)
def test_every_text_stands_out_from_its_background(name, style):
    """WCAG's level AA: a contrast of 4.5 for small text, after drawing, as only then all tick labels exist."""
    figure = FIGURES[name](style=style)
    figure.draw_without_rendering()
    texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    assert len(texts) > 3
    faint = {text.get_text(): contrast(text.get_color(), below(text)) for text in texts}
    assert {text: ratio for text, ratio in faint.items() if ratio < 4.5} == {}
    assert contrast(figure.get_facecolor(), {"light": "white", "dark": "black"}[style]) < 1.2


@pytest.mark.parametrize("style", styles.STYLES.values(), ids=styles.STYLES)
def test_ten_curves_can_be_told_apart_in_grey(style):
    """Any two differ in their dashes, or in lightness by more than a sixth; all stand out from the paper."""
    lines = [style.line(number) for number in range(10)]
    for number, line in enumerate(lines):
        assert contrast(line["color"], style.paper) > 2.7
        for other in lines[:number]:
            assert line["linestyle"] != other["linestyle"] or contrast(line["color"], other["color"]) > 1.4


@pytest.mark.parametrize("name", ["ACTIVE", "SIGNED", "right", "wrong"])
@pytest.mark.parametrize("style", styles.STYLES.values(), ids=styles.STYLES)
def test_scales_rise_or_fall_in_grey(style, name):
    scale = style.scale(getattr(styles, name) if name.isupper() else getattr(style, name))
    steps = np.diff([luminance(scale(part)[:3]) for part in np.linspace(0, 1, 20)])
    assert (steps > 0).all() or (steps < 0).all()


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_a_title_and_every_axis_with_numbers_a_name(name):
    """An axis is named beside its own panel, or once for all panels."""
    figure = FIGURES[name]()
    figure.draw_without_rendering()
    assert figure.get_suptitle()
    for axes in figure.axes:
        for axis, shared in ((axes.xaxis, figure.get_supxlabel()), (axes.yaxis, figure.get_supylabel())):
            labels = [label.get_text() for label in axis.get_ticklabels() if label.get_visible()]
            numbers = [label for label in labels if label.replace("−", "").replace(".", "").isdigit()]
            if numbers and axes.axison and name != "flow":  # its pictures and bars have their names below
                assert axis.get_label_text() or shared


@pytest.mark.parametrize("name", FIGURES)
def test_figures_need_neither_pyplots_global_state_nor_scikit_learn(monkeypatch, tmp_path, name):
    import matplotlib

    before = dict(matplotlib.rcParams)
    for module in ("matplotlib.pyplot", "sklearn"):
        monkeypatch.setitem(sys.modules, module, None)  # importing it now fails
    assert plots.save_figure(FIGURES[name](style="dark"), tmp_path / "figure.png").stat().st_size > 0
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", FIGURES)
def test_an_unknown_style_is_named(name):
    with pytest.raises(ValueError, match=r"style: expected \"light\" or \"dark\", found 'grey'"):
        FIGURES[name](style="grey")


@pytest.mark.parametrize("style", ["light", "dark"])
def test_a_saved_figure_has_the_styles_paper(tmp_path, style):
    from matplotlib.image import imread

    picture = imread(plots.save_figure(plots.plot_history(HISTORY, style=style), tmp_path / "history.png"))
    np.testing.assert_allclose(picture[0, 0, :3], to_rgb(styles.STYLES[style].paper), atol=0.005)
