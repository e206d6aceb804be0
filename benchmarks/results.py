"""The measurements of a run and their JSON file, with the machine, the settings and the versions."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

TOLERANCE = 1e-3  # relative: sums of thousands of float32 products in another order differ by 1e-6 to 1e-4


@dataclass
class Measurement:
    """One quantity of one rival: a number for each round."""

    measure: str
    case: str
    rival: str
    unit: str
    rounds: list[float]
    x: float | None = None
    """The position on the axis, if the case belongs to a series."""


@dataclass
class Agreement:
    """The difference between a rival's network and minicnn's: Euclidean norms, relative to those of the arrays."""

    case: str
    rival: str
    output: float
    gradient: float

    @property
    def holds(self) -> bool:
        """Whether float32's rounding explains the difference."""
        return self.output < TOLERANCE and self.gradient < TOLERANCE

    def sentence(self) -> str:
        return (
            f"{self.rival} disagrees with minicnn: outputs differ by {self.output:.1e} and gradients by "
            f"{self.gradient:.1e} of their norm; the limit is {TOLERANCE:g}."
        )


@dataclass
class Results:
    machine: dict[str, Any]
    settings: dict[str, Any]
    labels: dict[str, str] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """Notes for readers: a busy machine, a rival that is left out."""
    agreements: list[Agreement] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    profiles: dict[str, Any] = field(default_factory=dict)
    peak: dict[str, float] = field(default_factory=dict)
    """The machine's limits: flops (FLOP/s of a large product), bandwidth (byte/s of a triad)."""

    def of(self, measure: str, case: str | None = None) -> Iterator[Measurement]:
        return (m for m in self.measurements if m.measure == measure and case in (None, m.case))

    def cases(self, measure: str) -> list[str]:
        return list(dict.fromkeys(m.case for m in self.of(measure)))

    def rounds(self, measure: str, case: str) -> dict[str, list[float]]:
        """The numbers of all rounds, by rival."""
        return {m.rival: m.rounds for m in self.of(measure, case)}

    def layer_rates(self) -> Iterator[tuple[str, dict, str, float, float, float]]:
        """Model, layer, direction, milliseconds, FLOP per byte and FLOP/s, for every layer with a matrix product."""
        for model, profile in self.profiles.items():
            for layer in profile["layers"]:
                for way in ("forward", "backward"):
                    if (flops := layer[f"{way}_flops"]) and layer[way]:
                        intensity, rate = flops / layer[f"{way}_bytes"], flops / (layer[way] / 1e3)
                        yield model, layer, way, layer[way], intensity, rate

    def write(self, path: Path) -> None:
        """Write the JSON file atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.part")
        temporary.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(temporary, path)

    @classmethod
    def read(cls, path: Path) -> Results:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["agreements"] = [Agreement(**item) for item in content["agreements"]]
        content["measurements"] = [Measurement(**item) for item in content["measurements"]]
        return cls(**content)
