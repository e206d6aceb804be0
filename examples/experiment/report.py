"""The metrics in the report: "Deep Learning Analysis on the MNIST Fashion Dataset", October 2024.

Seven models on Fashion-MNIST, 60,000 training images, batches of 64; it uses the 10,000 test images for validation,
too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .options import DEFAULTS


class Metrics(NamedTuple):
    """A model's metrics on the test images; precision, recall and F1 are unweighted averages over the classes."""

    loss: float
    accuracy: float
    precision: float
    recall: float
    f1: float


class Scores(NamedTuple):
    """The metrics of one class."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Row:
    """One model's row of the report's tables, its scores by class if they are printed, and a note on contradictions."""

    title: str
    epochs: int
    metrics: Metrics
    by_class: dict[str, Scores] = field(default_factory=dict)
    note: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options that differ from the other models'."""
    source: str = "the report"
    """The document that says how the model is trained."""

    @property
    def name(self) -> str:
        """The title as a file name: "model5", "model5_residual"."""
        return self.title.replace("Model ", "model").replace(" ", "_").lower()

    @property
    def defaults(self) -> dict[str, Any]:
        """The options of a run as in the row, for those that are not typed."""
        return {**DEFAULTS, "epochs": self.epochs, **self.options}


BASELINE = Row(
    "Baseline",
    10,
    Metrics(0.9232, 0.6832, 0.8488, 0.8440, 0.8427),
    note="The report's row contradicts itself: as each class has equally many test images, recall equals "
    "accuracy, but it prints 0.8440 and 0.6832.",
)
MODEL_1 = Row("Model 1", 10, Metrics(0.3822, 0.8586, 0.8664, 0.8586, 0.8609))
MODEL_2 = Row("Model 2", 10, Metrics(0.3197, 0.8807, 0.8830, 0.8807, 0.8802))
MODEL_3 = Row(
    "Model 3",
    10,
    Metrics(0.3197, 0.8832, 0.8834, 0.8832, 0.8813),
    note="The report's row is doubtful: its loss is Model 2's to four digits, and the text gives Model 2's accuracy.",
)
MODEL_4 = Row(
    "Model 4",
    10,
    Metrics(0.2779, 0.9025, 0.9048, 0.9025, 0.9031),
    by_class={
        "T-shirt/top": Scores(0.90, 0.81, 0.86),
        "Trouser": Scores(0.99, 0.98, 0.98),
        "Pullover": Scores(0.86, 0.84, 0.85),
        "Dress": Scores(0.91, 0.91, 0.91),
        "Coat": Scores(0.87, 0.84, 0.86),
        "Sandal": Scores(0.99, 0.96, 0.97),
        "Shirt": Scores(0.69, 0.78, 0.73),
        "Sneaker": Scores(0.95, 0.95, 0.95),
        "Bag": Scores(0.95, 0.98, 0.97),
        "Ankle boot": Scores(0.94, 0.97, 0.96),
    },
)
MODEL_5 = Row(
    "Model 5",
    10,
    Metrics(0.2662, 0.9126, 0.9124, 0.9126, 0.9124),
    by_class={
        "T-shirt/top": Scores(0.87, 0.85, 0.86),
        "Trouser": Scores(0.99, 0.98, 0.99),
        "Pullover": Scores(0.85, 0.87, 0.86),
        "Dress": Scores(0.92, 0.93, 0.92),
        "Coat": Scores(0.86, 0.86, 0.86),
        "Sandal": Scores(0.99, 0.98, 0.98),
        "Shirt": Scores(0.77, 0.74, 0.76),
        "Sneaker": Scores(0.94, 0.98, 0.96),
        "Bag": Scores(0.96, 0.99, 0.97),
        "Ankle boot": Scores(0.98, 0.95, 0.96),
    },
)
MODEL_6 = Row(
    "Model 6",
    25,
    Metrics(0.5074, 0.9040, 0.9048, 0.9040, 0.9041),
    by_class={
        "T-shirt/top": Scores(0.86, 0.83, 0.84),
        "Trouser": Scores(0.99, 0.98, 0.99),
        "Pullover": Scores(0.86, 0.83, 0.85),
        "Dress": Scores(0.91, 0.89, 0.90),
        "Coat": Scores(0.81, 0.89, 0.85),
        "Sandal": Scores(0.98, 0.98, 0.98),
        "Shirt": Scores(0.74, 0.74, 0.74),
        "Sneaker": Scores(0.96, 0.96, 0.96),
        "Bag": Scores(0.97, 0.98, 0.98),
        "Ankle boot": Scores(0.97, 0.96, 0.97),
    },
)
MODEL_5_RESIDUAL = Row(
    "Model 5 residual",
    MODEL_5.epochs,
    MODEL_5.metrics,
    MODEL_5.by_class,
    note="Residual connections are not in the report. The model is compared with Model 5, the report's best.",
    source="docs/branches.md",
)
MODEL_7 = Row(
    "Model 7",
    16,
    MODEL_5.metrics,
    MODEL_5.by_class,
    note="Model 7 is not in the report. It is compared with Model 5, the report's best.",
    options={"batch_size": 128, "learning_rate": 0.004},
    source="docs/model7.md",
)
