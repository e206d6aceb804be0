"""All jobs of the reproduction, in the order in which they are done."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from experiment import report

from minicnn import Sequential

from .network import Network
from .svm import SupportVectorMachine
from .variants import VARIANTS

Job = Network | SupportVectorMachine

ROWS = {
    row.name: row
    for row in (
        report.BASELINE,
        report.MODEL_1,
        report.MODEL_2,
        report.MODEL_3,
        report.MODEL_4,
        report.MODEL_5,
        report.MODEL_6,
    )
}
"""The report's rows, by the name of the example that trains the model."""

PARTS = (*ROWS, "svm", "sensitivity")
"""What --models may name."""

WORK = {"baseline": 1.0, "model1": 1.1, "model2": 1.1, "model3": 1.3, "model4": 2.4, "model5": 3.4, "model6": 3.4}
"""Time for an epoch relative to the Baseline's, measured on two cores: estimates the time of what has not begun."""

SVM_WORK = {"svm-pixels": 40.0, "svm-features": 3.0}
"""The same for support vector machines."""


def all_jobs(options: Namespace) -> list[Job]:
    """The first seed of all models, the sensitivity table, the other seeds: soon there is something to look at."""
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    jobs = _of_seed(seeds[0], options)
    if "svm" in options.models:
        name, title = "svm-pixels", "SVM on pixels"
        place = _folder(name, seeds[0], options)
        jobs.append(SupportVectorMachine(name, title, seeds[0], SVM_WORK[name], place))
    if "sensitivity" in options.models:
        for seed in seeds[: options.sensitivity_seeds]:
            jobs += [_variant(name, seed, options) for name in VARIANTS]
    for seed in seeds[1:]:
        jobs += _of_seed(seed, options)
    return jobs


def build_model(name: str) -> Callable[[], Sequential]:
    """The function of the example of this name that makes its network."""
    return import_module(name).build_model


def _of_seed(seed: int, options: Namespace) -> list[Job]:
    """The models with this seed, and the support vector machine on the features of one of them."""
    networks = {name: _network(name, seed, options) for name in ROWS if name in options.models}
    if {"model5", "model6"} <= networks.keys():
        networks["model6"] = _network("model6", seed, options, networks["model5"])
    jobs: list[Job] = list(networks.values())
    if "svm" in options.models:
        name, title = "svm-features", "SVM on Model 5's features"
        of = networks["model5"]
        jobs.append(SupportVectorMachine(name, title, seed, SVM_WORK[name], _folder(name, seed, options), of))
    return jobs


def _network(name: str, seed: int, options: Namespace, shorter: Network | None = None) -> Network:
    row = ROWS[name]
    epochs = options.epochs or row.epochs
    return Network(name, row.title, seed, epochs, WORK[name], build_model(name), _folder(name, seed, options), shorter)


def _variant(name: str, seed: int, options: Namespace) -> Network:
    variant = VARIANTS[name]
    row = ROWS[variant.base]
    title = f"{row.title}, {variant.title}"
    epochs = options.epochs or row.epochs
    return Network(name, title, seed, epochs, variant.work, variant.build, _folder(name, seed, options))


def _folder(name: str, seed: int, options: Namespace) -> Path:
    return options.out / "runs" / f"{name}-seed{seed}"
