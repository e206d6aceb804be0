"""The rivals' virtual environments under .venvs/, with the library versions from the rivals' files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .rivals import variants
from .workers import ROOT

FOLDER = ROOT / ".venvs"


class Pythons:
    """The interpreter of each rival: one given for the rival or for its environment, or that in .venvs/."""

    def __init__(self, given: Mapping[str, Path] | None = None) -> None:
        self.given = dict(given or {})

    @classmethod
    def parse(cls, texts: Sequence[str]) -> Pythons:
        """From "torch=/path/to/python", by rival or environment, or "/path/to/python" for all. Raises ValueError."""
        known = set(variants()) | {variant.environment for variant in variants().values()}
        given: dict[str, Path] = {}
        for text in texts:
            name, _, path = text.rpartition("=")
            if name and name not in known:
                raise ValueError(f"--python {text}: expected one of {', '.join(sorted(known))} before the '='.")
            if not Path(path).is_file():
                raise ValueError(f"--python {text}: {path} is not a file. Give an interpreter.")
            given[name] = Path(path).absolute()
        return cls(given)

    def of(self, rival: str) -> Path:
        """The path of the rival's interpreter, which may not exist."""
        environment = variants()[rival].environment
        if environment == "minicnn":
            return self.given.get("minicnn", Path(sys.executable))
        for name in (rival, environment, ""):
            if name in self.given:
                return self.given[name]
        return python_in(folder_of(environment))


def folder_of(environment: str) -> Path:
    return FOLDER / f"bench-{environment}"


def python_in(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def requirements_of(environment: str) -> list[str]:
    """The pinned requirements of all rivals that share this environment."""
    return sorted({pin for v in variants().values() if v.environment == environment for pin in v.requirements})


def install(rivals: Sequence[str], pythons: Pythons, say: Callable[[str], None]) -> None:
    """Make these rivals' environments if they are missing or out of date. A failure is reported; the others go on."""
    wanted = {variants()[rival].environment for rival in rivals if pythons.of(rival).is_relative_to(FOLDER)}
    for environment in sorted(wanted):
        pins, stamp = "\n".join(requirements_of(environment)), folder_of(environment) / "installed.txt"
        if stamp.exists() and stamp.read_text(encoding="utf-8") == pins:
            continue
        say(f"Installing {pins.splitlines()} into .venvs/bench-{environment} (once; this may take some minutes) …")
        try:
            _make(folder_of(environment), pins.splitlines())
        except subprocess.CalledProcessError as error:
            reason = (error.stderr or "").strip().splitlines()[-1:] or ["no reason given"]
            say(f"{environment} could not be installed, so its rivals are left out: {reason[0]}")
        else:
            stamp.write_text(pins, encoding="utf-8")


def why_missing(rival: str, python: Path) -> str:
    """The reason why the rival cannot run, or an empty string."""
    if not python.exists():
        environment = variants()[rival].environment
        return f"{rival} is left out: there is no .venvs/bench-{environment}. `make bench` makes it."
    module = variants()[rival].module
    check = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    if subprocess.run([str(python), "-c", check], capture_output=True).returncode:
        return f"{rival} is left out: its interpreter has no module {module}."
    return ""


def _make(folder: Path, pins: list[str]) -> None:
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python_in(folder)), "-m", "pip", "install", "-qq", "--disable-pip-version-check", *pins],
    ):
        subprocess.run(command, check=True, capture_output=True, text=True)
