"""What minicnn has of Keras's public names: the error for a name that it lacks, and the table of the documentation.

`keras_names.json` lists Keras's names (docs/make_keras_names.py writes it). Whether minicnn has a name is looked up in
its modules; only what differs, and what to use instead of something missing, is written here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dis import opmap
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from .errors import did_you_mean

OWN_LAYER = "A layer of your own also defines its gradient, in call_backward: there is no automatic differentiation."
OWN_LOSS = "A loss of your own also defines its gradient: there is no automatic differentiation."
OWN_METRIC = "A metric of your own keeps plain attributes; there is no add_weight."
STEP = "A step is `step(model.parameters())`, or `apply(grads, parameters)`. learning_rate and iterations are numbers."

DIFFERS = {
    "Layer": OWN_LAYER,
    "Loss": OWN_LOSS,
    "Metric": OWN_METRIC,
    "Model": "Each layer is called once.",
    "callbacks.Callback": "`get_state` and `set_state` make it resumable.",
    "callbacks.CallbackList": "CallbackList(callbacks, model); fit adds the History and the progress bar.",
    "callbacks.ModelCheckpoint": "Writes Keras's format to .keras and .weights.h5, safetensors to any other name.",
    "callbacks.TerminateOnNaN": "Without it, `fit` raises NonFiniteError, which names the first layer that failed.",
    "callbacks.TensorBoard": "Needs the extra tensorboard. No graph, images or profiles; gradients and update ratios.",
    "config.set_image_data_format": "Only channels_last.",
    "backend.set_image_data_format": "Only channels_last.",
    "datasets.fashion_mnist.load_data": "Without a network, a sample of 7,000 images, with a warning.",
    "layers.Layer": OWN_LAYER,
    "losses.Loss": OWN_LOSS,
    "metrics.AUC": "Without label_weights.",
    "metrics.Metric": OWN_METRIC,
    "optimizers.Optimizer": STEP,
    "Optimizer": STEP,
    "utils.plot_model": "Writes an SVG file, without Graphviz.",
    "Sequential": "Trains on arrays of float32 or float64; no mixed precision.",
}
"""Names that minicnn has, where it matters that they are not quite Keras's."""

NO_TENSORS = "Arrays are NumPy's or CuPy's: use their functions."
NO_RECURRENCE = "minicnn has convolutional networks only: Conv1D is for sequences."
NO_DATA = "Read the data with NumPy; minicnn.datasets has images."
NO_FILES = "Read the files into arrays; fit also takes a generator of batches (x, y)."
NOT_CALLED = "Give the model an Input or a first batch, or call the layer on an Input."
ONE_PRECISION = 'dtype="float32" or "float64" is an argument of each layer.'

INSTEAD = {
    "Variable": "Weights are Parameter objects, with value and grad.",
    "KerasTensor": "Input(shape) and a layer called on it give a value for Model(inputs, outputs).",
    "Function": NO_TENSORS,
    "Operation": "Derive from layers.Layer.",
    "DTypePolicy": ONE_PRECISION,
    "FloatDTypePolicy": ONE_PRECISION,
    "callbacks.BackupAndRestore": "ModelCheckpoint, then load_model and fit(…, initial_epoch=model.epochs_trained).",
    "callbacks.SwapEMAWeights": "use_ema averages weights at the end of fit, WeightAveraging in every epoch.",
    "constraints": "Weights are not constrained; weight_decay and regularizers make them smaller.",
    "datasets.boston_housing": NO_DATA,
    "datasets.california_housing": NO_DATA,
    "datasets.cifar100": "datasets.cifar10 has ten classes instead of a hundred.",
    "datasets.imdb": NO_RECURRENCE,
    "datasets.reuters": NO_RECURRENCE,
    "layers.Bidirectional": NO_RECURRENCE,
    "layers.AlphaDropout": "Dropout or GaussianNoise.",
    "layers.Conv1DTranspose": "UpSampling1D, then Conv1D.",
    "layers.Conv2DTranspose": "UpSampling2D, then Conv2D.",
    "layers.Conv3D": "minicnn has sequences and images: Conv1D and Conv2D.",
    "layers.ConvLSTM": NO_RECURRENCE,
    "layers.Embedding": NO_RECURRENCE,
    "layers.GRU": NO_RECURRENCE,
    "layers.Lambda": "Derive from layers.Layer: call computes, call_backward is its gradient. Rescaling multiplies.",
    "layers.LSTM": NO_RECURRENCE,
    "layers.Normalization": "Rescaling(1 / std, -mean / std) does it with the mean and std of numpy.",
    "layers.RNN": NO_RECURRENCE,
    "layers.PReLU": "LeakyReLU has one slope, which is not trained.",
    "layers.Random": "RandomFlip, RandomTranslation and RandomErasing augment images.",
    "layers.Resizing": "Resize the images before the training, with Pillow, say.",
    "layers.SimpleRNN": NO_RECURRENCE,
    "layers.StackedRNN": NO_RECURRENCE,
    "layers.TimeDistributed": "Dense works on the last axis of any input.",
    "losses.LogCosh": "Huber also forgives outliers.",
    "optimizers.Ftrl": "It is for sparse features.",
    "optimizers.Lion": "Use Adam.",
    "optimizers.Lamb": "Use Adam.",
    "optimizers.LossScaleOptimizer": ONE_PRECISION,
    "optimizers.Muon": "Use SGD with momentum.",
    "preprocessing.image.smart_resize": "load_img(path, target_size=…, keep_aspect_ratio=True) resizes and crops.",
    "random.": "Use numpy.random; minicnn.set_random_seed makes a training repeat.",
    "saving.load_model": "minicnn.load_model(filepath)",
    "utils.audio_dataset": NO_FILES,
    "utils.get_file": "urllib.request.urlretrieve(url, filename) fetches a file.",
    "utils.image_dataset": "ImageDataGenerator().flow_from_directory(…) of preprocessing.image reads them.",
    "utils.model_to_dot": "plot_model(model, 'model.svg') draws the model, without Graphviz.",
    "utils.text_dataset": NO_FILES,
}
"""For a missing name, or all names that begin like this: what to do instead."""

WHOLE_MODULES = {
    "applications": "Pretrained networks are not part of minicnn.",
    "distribution": "minicnn.distributed.DataParallel trains on several processes.",
    "dtype_policies": ONE_PRECISION,
    "mixed_precision": ONE_PRECISION,
    "export": "minicnn.export_onnx writes a model for other programs.",
    "ops": NO_TENSORS,
    "quantizers": "There is no quantisation.",
    "tree": "Several inputs or outputs are a list, or a dict of inputs by name.",
    "visualization": "minicnn.plots draws figures.",
    "wrappers": "minicnn.sklearn.CNNClassifier is a scikit-learn estimator.",
}
"""Modules of Keras that minicnn does not have."""


OLD = {
    "backend.": NO_TENSORS,
    "backend.get_value": "float(optimizer.learning_rate) is the learning rate, parameter.numpy() a weight.",
    "backend.int_shape": "x.shape is the shape of x, an array or a layer's output.",
    "backend.set_value": "Assign it: optimizer.learning_rate = 0.1, parameter.value = array.",
    "layers.advanced_activations": "Its layers are in minicnn.layers.",
    "layers.convolutional": "Its layers are in minicnn.layers.",
    "layers.core": "Its layers are in minicnn.layers.",
    "layers.merge": "Its layers are in minicnn.layers.",
    "layers.normalization": "Its layers are in minicnn.layers.",
    "layers.pooling": "Its layers are in minicnn.layers.",
    "layers.experimental": "Its layers are in minicnn.layers.",
    "optimizers.legacy": "Its optimisers are in minicnn.optimizers.",
    "preprocessing.sequence": NO_RECURRENCE,
    "preprocessing.text": NO_RECURRENCE,
    "utils.np_utils": "Its functions are in minicnn.utils: from minicnn.utils import to_categorical.",
    "wrappers.scikit_learn": "minicnn.sklearn.CNNClassifier is a scikit-learn estimator.",
}
"""Names of Keras 1 and 2 that Keras 3 does not have either, and what they are now."""


INSTEAD_OF_MEMBERS = {
    "add_loss": "regularizers add to the loss; train_step is open for more.",
    "add_metric": "compile(metrics=…) measures predictions.",
    "add_weight": "The sums of a metric are plain attributes: self.total = 0.0, also in reset_state.",
    "add_variable": "add_weight makes a Parameter; metrics keep plain attributes.",
    "compute_dtype": ONE_PRECISION,
    "compute_mask": "There are no masks.",
    "dtype_policy": ONE_PRECISION,
    "enable_lora": "All weights of a trainable layer are trained.",
    "evaluate_generator": "evaluate takes generators.",
    "export": "minicnn.export_onnx(model, path)",
    "fit_generator": "fit takes generators.",
    "input": NOT_CALLED,
    "metrics": "compile(metrics=…) makes them, evaluate(…, return_dict=True) returns them by name.",
    "output": NOT_CALLED,
    "predict_classes": "model.predict(x).argmax(axis=-1)",
    "predict_generator": "predict takes generators.",
    "predict_proba": "model.predict(x)",
    "quanti": "There is no quantisation.",
    "rematerialized_call": "All values between layers are kept for the backward.",
    "scale_loss": ONE_PRECISION,
    "set_weights": "An optimiser's set_state(calls, get_state(), parameters) restores its state.",
    "stateless": "Layers, models, metrics and optimisers keep their state themselves.",
    "supports_masking": "There are no masks.",
    "symbolic_call": "Call the layer on an Input.",
    "variable_dtype": ONE_PRECISION,
    "variables": "Its state is in plain attributes; an optimiser's get_state() has copies of its slots.",
}
"""For a missing attribute or method of Keras's, or all of Keras's that begin like this: what to do instead."""


@cache
def _content() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("keras_names.json").read_text(encoding="utf-8"))


def keras_names() -> dict[str, dict[str, Any] | None]:
    """Keras's public names without "keras."; for a class, its arguments with plain default values."""
    return _content()["names"]


def missing_member(thing: Any, kind: str, name: str, otherwise: str = "") -> AttributeError:
    """The error for an attribute that an object lacks. `kind` is the base class, as in keras_names.json's "members".

    It says whether Keras has the attribute, and what to use instead; if Keras lacks it, too, `otherwise` is the remedy.
    """
    cls = type(thing)
    if name.startswith("_") or any(name in vars(base).get("__annotations__", {}) for base in cls.__mro__):
        return AttributeError(f"{cls.__name__} has no {name} yet")  # Python and tools ask for such names
    replacement = next((INSTEAD_OF_MEMBERS[start] for start in INSTEAD_OF_MEMBERS if name.startswith(start)), "")
    if hasattr(cls, name):  # a property
        return AttributeError(f"{cls.__name__} has no {name} yet. {replacement}".rstrip())
    if name in _content()["members"][kind]:
        return AttributeError(f"{cls.__name__} has no {name}. Keras has it, minicnn does not. {replacement}".rstrip())
    known = [member for member in dir(cls) if not member.startswith("_")]
    replacement = INSTEAD_OF_MEMBERS.get(name) or otherwise or did_you_mean(name, known)
    return AttributeError(f"{cls.__name__} has no {name}. {replacement}")


def reporter(module: str, known: Iterable[str]) -> Callable[[str], Any]:
    """A module's __getattr__, which is called for a name that it lacks; `known` are the names that it has.

    The error says whether Keras has the name, and what to use instead.
    """
    known = sorted(set(known) - {"CLASSES", "Logs", "describe", "deserialize", "get", "serialize"})

    def missing(name: str) -> Any:
        path = f"{module}.{name}".removeprefix("minicnn.").removeprefix("minicnn")
        if name.startswith("__"):  # Python and tools ask for such names
            raise AttributeError(name)
        sentence = f"{module} has no {name}. {remedy(path, known)}"
        raise ImportError(sentence) if _imports_a_name() else AttributeError(sentence)

    return missing


def _imports_a_name() -> bool:
    """Whether `missing` is asked by `from module import name`; Python hides an AttributeError's text there."""
    frame = sys._getframe(2)
    while frame.f_code.co_name == "__getattr__" and frame.f_back is not None:  # a module's own, which calls `missing`
        frame = frame.f_back
    return frame.f_code.co_code[frame.f_lasti] == opmap["IMPORT_FROM"]


class MissingModules:
    """An entry of sys.meta_path: importing a module that Keras has and minicnn lacks says what to use instead."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        """Called for a module that was not found. Raises ModuleNotFoundError if Keras has it, or had it."""
        module = name.removeprefix("minicnn.")
        if module != name and any(_begins(known, module) for known in (*WHOLE_MODULES, *OLD, *keras_names())):
            raise ModuleNotFoundError(f"There is no {name}. {instead(module)}".rstrip(), name=name)


def _begins(name: str, module: str) -> bool:
    """Whether the name is that of the module, or of something in it."""
    return f"{name}.".startswith(f"{module}.")


sys.meta_path.append(MissingModules)


def remedy(path: str, known: Iterable[str]) -> str:
    """What to do about a missing name, such as "losses.Huber"."""
    if any(path.startswith(old) for old in OLD) and path not in keras_names():
        return f"Keras 3 does not have it. {instead(path)}"
    if not any(_begins(name, path) for name in (*WHOLE_MODULES, *keras_names())):
        return did_you_mean(path.rpartition(".")[2], known)
    return f"Keras has it, minicnn does not. {instead(path)} Known: {', '.join(sorted(known))}.".replace("  ", " ")


def instead(path: str) -> str:
    """What to use instead of a name of Keras that is missing; "" if there is nothing like it."""
    sentences = {**INSTEAD, **WHOLE_MODULES, **OLD}
    found = [start for start in sentences if path.startswith(start)]
    return sentences[max(found, key=len)] if found else ""


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
