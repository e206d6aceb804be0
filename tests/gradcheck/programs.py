"""Programs as students write them, each right, and the lines that make it wrong.

A program is a text with a `forward` and a `backward`. A wrong one is the same text with one line changed. None of it
uses minicnn: the catalogue's own code is not involved.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Program:
    """A right program: its source, and the arguments of its forward, made from a random generator."""

    name: str
    source: str
    inputs: object
    wrong: dict = field(default_factory=dict)
    """For each mistake: the line as it is, the wrong line, and a pattern for a true cause (identifier or text)."""

    def functions(self, old="", new=""):
        assert self.source.count(old) >= 1, f"{self.name}: {old!r} is not in the program"
        names = {"np": np}
        exec(self.source.replace(old, new) if old else self.source, names)
        return names["forward"], names.get("backward")

    def arguments(self, seed=0):
        return self.inputs(np.random.default_rng(seed))


PROGRAMS = []


def program(name, source, inputs, **wrong):
    PROGRAMS.append(Program(name, source, inputs, {key.replace("_", " "): value for key, value in wrong.items()}))


def normal(*shapes):
    return lambda rng: [rng.standard_normal(shape) for shape in shapes]
