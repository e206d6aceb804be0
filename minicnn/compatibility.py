"""What minicnn has of Keras's public names: the error for a name that it lacks, and the table of the documentation.

`keras_names.json` lists Keras's names (docs/make_keras_names.py writes it). Whether minicnn has a name is looked up in
its modules; only what differs, and what to use instead of something missing, is written here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from .errors import did_you_mean

DIFFERS = {
    "Model": "One input and one output.",
    "callbacks.Callback": "`fit` calls callbacks; `evaluate` and `predict` do not. `get_state` makes it resumable.",
    "callbacks.ModelCheckpoint": "Writes Keras's format to .keras and .weights.h5, safetensors to any other name.",
    "callbacks.TerminateOnNaN": "Without it, `fit` raises NonFiniteError, which names the first layer that failed.",
    "callbacks.TensorBoard": "Needs the extra tensorboard. No graph, images or profiles; gradients and update ratios.",
    "config.set_image_data_format": "Only channels_last.",
    "backend.set_image_data_format": "Only channels_last.",
    "datasets.fashion_mnist.load_data": "Without a network, a sample of 7,000 images, with a warning.",
    "losses.Loss": "A loss of your own also defines its gradient: there is no automatic differentiation.",
    "metrics.Metric": "A metric of your own keeps plain attributes; there is no add_weight.",
    "metrics.Precision": "Without top_k and class_id.",
    "metrics.Recall": "Without top_k and class_id.",
    "optimizers.Optimizer": "A step is `step(model.parameters())`, or `apply(grads, parameters)`.",
    "utils.plot_model": "Writes an SVG file, without Graphviz.",
    "Sequential": "Trains on arrays of float32 or float64; no mixed precision.",
}
"""Names that minicnn has, where it matters that they are not quite Keras's."""

NO_TENSORS = "Arrays are NumPy's or CuPy's: use their functions."
NO_RECURRENCE = "minicnn has convolutional networks only: Conv1D is for sequences."
ONE_PRECISION = 'dtype="float32" or "float64" is an argument of each layer.'

INSTEAD = {
    "Variable": "Weights are Parameter objects, with value and grad.",
    "KerasTensor": "Input(shape) and a layer called on it give a value for Model(inputs, outputs).",
    "Function": NO_TENSORS,
    "Operation": "Derive from layers.Layer.",
    "DTypePolicy": ONE_PRECISION,
    "FloatDTypePolicy": ONE_PRECISION,
    "callbacks.BackupAndRestore": "ModelCheckpoint, then load_model and fit(…, initial_epoch=model.epochs_trained).",
    "callbacks.SwapEMAWeights": "WeightAveraging gives the model the mean of its weights.",
    "constraints": "Weights are not constrained; weight_decay and regularizers make them smaller.",
    "datasets.imdb": NO_RECURRENCE,
    "datasets.reuters": NO_RECURRENCE,
    "layers.Bidirectional": NO_RECURRENCE,
    "layers.ConvLSTM": NO_RECURRENCE,
    "layers.Embedding": NO_RECURRENCE,
    "layers.GRU": NO_RECURRENCE,
    "layers.LSTM": NO_RECURRENCE,
    "layers.RNN": NO_RECURRENCE,
    "layers.SimpleRNN": NO_RECURRENCE,
    "layers.StackedRNN": NO_RECURRENCE,
    "layers.TimeDistributed": "Dense works on the last axis of any input.",
    "losses.Huber": "MeanAbsoluteError also forgives outliers.",
    "losses.huber": "mean_absolute_error also forgives outliers.",
    "losses.LogCosh": "MeanAbsoluteError also forgives outliers.",
    "metrics.AUC": "minicnn.evaluation.roc_curve and area_under_curve compute it after the training.",
    "metrics.F1Score": "minicnn.evaluation.scores_by_class computes it after the training.",
    "metrics.FBetaScore": "minicnn.evaluation.scores_by_class computes F1 after the training.",
    "optimizers.Ftrl": "It is for sparse features.",
    "optimizers.Lion": "Use Adam.",
    "optimizers.Lamb": "Use Adam.",
    "optimizers.LossScaleOptimizer": ONE_PRECISION,
    "optimizers.Muon": "Use SGD with momentum.",
    "preprocessing.image": "Images are NumPy arrays; RandomFlip and RandomTranslation augment them.",
    "random.": "Use numpy.random; minicnn.set_random_seed makes a training repeat.",
}
"""For a missing name, or all names that begin like this: what to do instead."""

WHOLE_MODULES = {
    "applications": "Pretrained networks are not part of minicnn.",
    "distribution": "minicnn.distributed.DataParallel trains on several processes.",
    "dtype_policies": ONE_PRECISION,
    "export": "minicnn.export_onnx writes a model for other programs.",
    "ops": NO_TENSORS,
    "quantizers": "There is no quantisation.",
    "tree": "A model has one input and one output.",
    "visualization": "minicnn.plots draws figures.",
    "wrappers": "minicnn.sklearn.CNNClassifier is a scikit-learn estimator.",
}
"""Modules of Keras that minicnn does not have."""


@cache
def keras_names() -> dict[str, dict[str, Any] | None]:
    """Keras's public names without "keras."; for a class, its arguments with plain default values."""
    content = json.loads(Path(__file__).with_name("keras_names.json").read_text(encoding="utf-8"))
    return content["names"]


def reporter(module: str, known: Iterable[str]) -> Callable[[str], Any]:
    """A module's __getattr__, which is called for a name that it lacks; `known` are the names that it has.

    The error says whether Keras has the name, and what to use instead.
    """
    known = sorted(name for name in known if name not in ("CLASSES", "Logs", "get", "describe"))

    def missing(name: str) -> Any:
        path = f"{module}.{name}".removeprefix("minicnn.").removeprefix("minicnn")
        if name.startswith("__"):  # Python and tools ask for such names
            raise AttributeError(name)
        raise AttributeError(f"{module} has no {name}. {remedy(path, known)}")

    return missing


def remedy(path: str, known: Iterable[str]) -> str:
    """What to do about a missing name, such as "losses.Huber"."""
    if path not in keras_names() and path not in WHOLE_MODULES:
        return did_you_mean(path.rpartition(".")[2], known)
    return f"Keras has it, minicnn does not. {instead(path)} Known: {', '.join(sorted(known))}.".replace("  ", " ")


def instead(path: str) -> str:
    """What to use instead of a name of Keras that is missing; "" if there is nothing like it."""
    found = [start for start in (*INSTEAD, *WHOLE_MODULES) if path.startswith(start)]
    return {**INSTEAD, **WHOLE_MODULES}[max(found, key=len)] if found else ""


def offered(path: str) -> Any:
    """minicnn's object of Keras's public name; None if it does not have it."""
    *modules, name = path.split(".")
    try:
        module: Any = import_module(".".join(["minicnn", *modules]))
        return getattr(module, name, None)
    except ImportError:
        return None


def table() -> str:
    """The table of all names in Markdown: name, whether minicnn has it, and one sentence where there is one."""
    lines = ["| Keras | minicnn | |", "|---|---|---|"]
    for path in keras_names():
        has = offered(path) is not None
        state = "differs" if has and path in DIFFERS else "yes" if has else "no"
        lines.append(f"| `{path}` | {state} | {DIFFERS.get(path, '') if has else instead(path)} |")
    lines += [f"| `{module}` | no | {sentence} |" for module, sentence in WHOLE_MODULES.items()]
    return "\n".join(lines) + "\n"
