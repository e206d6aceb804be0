"""Metrics: how good predictions are. They are measured while a model trains; nothing is learned from them.

model.compile("adam", loss, metrics=["accuracy", metrics.TopKCategoricalAccuracy(k=3)])
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from .. import custom_objects
from ..compatibility import reporter
from ..configurable import UnknownClassError, deserializer, of_ones_own, serialize
from ..errors import did_you_mean, explain, shown
from ..losses.functions import (
    binary_crossentropy,
    categorical_crossentropy,
    mean_absolute_error,
    mean_squared_error,
    sparse_categorical_crossentropy,
)
from .accuracy import (
    Accuracy,
    AccuracyByShape,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from .areas import AUC
from .base import Mean, MeanMetricWrapper, Metric, Sum
from .confusion import FalseNegatives, FalsePositives, Precision, Recall, TrueNegatives, TruePositives
from .errors import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanAbsoluteError,
    MeanSquaredError,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
)
from .f_scores import F1Score, FBetaScore
from .functions import (
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from .running import RunningLogs, RunningMean

mae = MAE = mean_absolute_error  # tf.keras has these names, too
mse = MSE = mean_squared_error

CLASSES: dict[str, type[Metric]] = {
    cls.__name__: cls
    for cls in (
        AUC,
        Accuracy,
        AccuracyByShape,
        BinaryAccuracy,
        BinaryCrossentropy,
        CategoricalAccuracy,
        CategoricalCrossentropy,
        F1Score,
        FBetaScore,
        FalseNegatives,
        FalsePositives,
        Mean,
        MeanAbsoluteError,
        MeanSquaredError,
        Precision,
        Recall,
        RootMeanSquaredError,
        SparseCategoricalAccuracy,
        SparseCategoricalCrossentropy,
        SparseTopKCategoricalAccuracy,
        Sum,
        TopKCategoricalAccuracy,
        TrueNegatives,
        TruePositives,
    )
}

FUNCTIONS: dict[Callable[..., Any], type[Metric]] = {
    binary_accuracy: BinaryAccuracy,
    binary_crossentropy: BinaryCrossentropy,
    categorical_accuracy: CategoricalAccuracy,
    categorical_crossentropy: CategoricalCrossentropy,
    mean_absolute_error: MeanAbsoluteError,
    mean_squared_error: MeanSquaredError,
    sparse_categorical_accuracy: SparseCategoricalAccuracy,
    sparse_categorical_crossentropy: SparseCategoricalCrossentropy,
    sparse_top_k_categorical_accuracy: SparseTopKCategoricalAccuracy,
    top_k_categorical_accuracy: TopKCategoricalAccuracy,
}
"""The class of each function: `compile` takes both."""

_OF_DECISIONS = (
    AUC,
    F1Score,
    FBetaScore,
    FalseNegatives,
    FalsePositives,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)

NAMES: dict[str, type[Metric]] = {
    "acc": AccuracyByShape,
    "accuracy": AccuracyByShape,
    "bce": BinaryCrossentropy,
    "mae": MeanAbsoluteError,
    "MAE": MeanAbsoluteError,
    "mse": MeanSquaredError,
    "MSE": MeanSquaredError,
    "rmse": RootMeanSquaredError,
    **{function.__name__: cls for function, cls in FUNCTIONS.items()},
    **{cls().name: cls for cls in _OF_DECISIONS},
    "root_mean_squared_error": RootMeanSquaredError,
}

__all__ = [
    "AUC",
    "CLASSES",
    "MAE",
    "MSE",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Mean",
    "MeanAbsoluteError",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "Metric",
    "Precision",
    "Recall",
    "RootMeanSquaredError",
    "RunningLogs",
    "RunningMean",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "binary_accuracy",
    "binary_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "describe",
    "deserialize",
    "get",
    "mae",
    "mean_absolute_error",
    "mean_squared_error",
    "mse",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
]


deserialize = deserializer(CLASSES, "metrics")


def get(identifier: Any) -> Metric:
    """The metric for a Metric, a name, a function of y_true and y_pred, or a description; its name is the given one.

    Raises ValueError for an unknown name, TypeError for anything else.
    """
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        if own := custom_objects.known().get(identifier):
            return get(own)
        if identifier in CLASSES and identifier != "AccuracyByShape":
            return CLASSES[identifier]()
        if identifier not in NAMES:
            remedy = f"A function of your own is given without quotes. {of_ones_own(identifier)}"
            remedy = f"{did_you_mean(identifier, NAMES)} {remedy}"
            raise UnknownClassError(explain("metrics", "names of metrics", shown(identifier), remedy))
        cls: Any = NAMES[identifier]
        return cls(name=identifier)
    if inspect.isclass(identifier) and issubclass(identifier, Metric):
        return identifier()
    if callable(identifier):
        return FUNCTIONS[identifier]() if identifier in FUNCTIONS else MeanMetricWrapper(identifier)
    remedy = 'Example: metrics=["accuracy"].'
    raise TypeError(explain("metrics", "names, Metric objects or functions", shown(identifier), remedy))


def describe(metric: Metric) -> str | dict[str, Any]:
    """The name of a metric that was made from it, or its description; `get` makes an equal metric from both.

    A function that is a metric has its name.
    """
    if metric.arguments == {"fn": getattr(metric, "fn", None)}:
        return custom_objects.get_registered_name(metric.arguments["fn"])
    from_name = NAMES.get(metric.name) is type(metric) and metric.arguments == {"name": metric.name}
    return metric.name if from_name else metric.describe()


__getattr__ = reporter(__name__, __all__)
