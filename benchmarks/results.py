"""The figures of a run, and their file: JSON that says what was measured, on what, with which versions."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

TOLERANCE = 1e-3  # relative: sums of thousands of float32 products in another order differ by 1e-6 to 1e-4


@dataclass
class Figure:
    """One thing measured for one rival: a number for each round."""

    measure: str
    case: str
    rival: str
    unit: str
    rounds: list[float]
    x: float | None = None
    """Where the figure stands on its axis, if its case belongs to a series."""


@dataclass
class Agreement:
    """How far a rival's network is from minicnn's: Euclidean norms of differences, relative to the arrays' own."""

    case: str
    rival: str
    output: float
    gradient: float

    @property
    def holds(self) -> bool:
        """Whether only float32's rounding lies between them."""
        return self.output < TOLERANCE and self.gradient < TOLERANCE

    def sentence(self) -> str:
        return (
            f"{self.rival} computes something else than minicnn: outputs differ by {self.output:.1e} and gradients by "
            f"{self.gradient:.1e} of their norm, and {TOLERANCE:g} is allowed."
        )


@dataclass
class Results:
    machine: dict[str, Any]
    settings: dict[str, Any]
    labels: dict[str, str] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """Sentences that a reader has to know: a busy machine, a rival left out."""
    agreements: list[Agreement] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    profiles: dict[str, Any] = field(default_factory=dict)
    peak: dict[str, float] = field(default_factory=dict)
    """The machine's own: flops (FLOP/s of a large product), bandwidth (byte/s of a triad)."""

    def of(self, measure: str, case: str | None = None) -> Iterator[Figure]:
        return (f for f in self.figures if f.measure == measure and case in (None, f.case))

    def cases(self, measure: str) -> list[str]:
        return list(dict.fromkeys(figure.case for figure in self.of(measure)))

    def rounds(self, measure: str, case: str) -> dict[str, list[float]]:
        """By rival."""
        return {figure.rival: figure.rounds for figure in self.of(measure, case)}

    def layer_rates(self) -> Iterator[tuple[str, dict, str, float, float, float]]:
        """Model, layer, direction, milliseconds, FLOP per byte and FLOP/s, for every layer that multiplies."""
        for model, profile in self.profiles.items():
            for layer in profile["layers"]:
                for way in ("forward", "backward"):
                    if (flops := layer[f"{way}_flops"]) and layer[way]:
                        intensity, rate = flops / layer[f"{way}_bytes"], flops / (layer[way] / 1e3)
                        yield model, layer, way, layer[way], intensity, rate

    def write(self, path: Path) -> None:
        """Atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.part")
        temporary.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(temporary, path)

    @classmethod
    def read(cls, path: Path) -> Results:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["agreements"] = [Agreement(**item) for item in content["agreements"]]
        content["figures"] = [Figure(**item) for item in content["figures"]]
        return cls(**content)
