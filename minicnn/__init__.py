"""minicnn: convolutional networks from scratch, to read, to check and to train.

The maths is in `minicnn.backends.textbook`, each operation next to its backward. Layers, losses and models have the
names and the behaviour of Keras 3. What Keras hides is public: `model.forward`, `model.backward`, `model.parameters`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import (
    activations,
    backend,
    callbacks,
    config,
    datasets,
    exchange,
    gradcheck,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    preprocessing,
    regularizers,
    saving,
    utils,
)
from .backends import backend_name, device_name, to_device, to_host, use_backend, use_device
from .compatibility import reporter
from .errors import BackendError, ModelFileError, NonFiniteError, TrainingWarning
from .exchange import export_onnx
from .initializers import Initializer
from .layers import Input, Layer
from .losses import Loss
from .metrics import Metric
from .models import Model, Sequential, load_model
from .optimizers import Optimizer
from .random import set_random_seed
from .regularizers import Regularizer

if TYPE_CHECKING:
    from . import explorer
    from .inside import explain, trace

__version__ = "0.1.0"

__all__ = [
    "BackendError",
    "Initializer",
    "Input",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "ModelFileError",
    "NonFiniteError",
    "Optimizer",
    "Regularizer",
    "Sequential",
    "TrainingWarning",
    "activations",
    "backend",
    "backend_name",
    "callbacks",
    "config",
    "datasets",
    "device_name",
    "exchange",
    "explain",
    "explorer",
    "export_onnx",
    "gradcheck",
    "initializers",
    "layers",
    "load_model",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "preprocessing",
    "regularizers",
    "saving",
    "set_random_seed",
    "to_device",
    "to_host",
    "trace",
    "use_backend",
    "use_device",
    "utils",
]


def __getattr__(name: str) -> Any:
    """`explain`, `trace` and `explorer` are imported when they are used, so that `import minicnn` stays fast."""
    if name in ("explain", "trace"):
        return getattr(import_module(f"{__name__}.inside"), name)
    if name == "explorer":
        return import_module(f"{__name__}.explorer")
    return reporter(__name__, __all__)(name)
