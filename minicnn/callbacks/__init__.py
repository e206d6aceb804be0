"""Callbacks: objects that `fit` calls during training. Keras's names and arguments."""

from __future__ import annotations

from ..compatibility import reporter
from .base import Callback, CallbackList, Logs
from .checkpoint import ModelCheckpoint
from .csv_logger import CSVLogger
from .early_stopping import EarlyStopping
from .functions import LambdaCallback, TerminateOnNaN
from .history import History
from .json_logger import JSONLogger
from .learning_rate import LearningRateScheduler, ReduceLROnPlateau
from .tensorboard import TensorBoard
from .weight_averaging import WeightAveraging

__all__ = [
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "JSONLogger",
    "LambdaCallback",
    "LearningRateScheduler",
    "Logs",
    "ModelCheckpoint",
    "ReduceLROnPlateau",
    "TensorBoard",
    "TerminateOnNaN",
    "WeightAveraging",
]


__getattr__ = reporter(__name__, __all__)
