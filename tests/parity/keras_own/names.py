"""Where the installed Keras defines its public names, which of them minicnn has, and which test files are about those.

Keras's wheel has one generated `__init__.py` per public module, with lines such as
`from keras.src.layers.core.dense import Dense as Dense`. They are read as text: Keras itself is not imported.
"""

from __future__ import annotations

import ast
import os
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from minicnn import compatibility

HOME = "MINICNN_KERAS_HOME"
"""The environment variable that tells the process of the tests where Keras lies: there, `keras` is the stand-in."""

RESULTS = "MINICNN_KERAS_RESULTS"
"""The environment variable with the file to which the process of the tests writes how each ended."""


@cache
def home() -> Path:
    """The folder of the installed package `keras`."""
    return Path(os.environ.get(HOME) or find_spec("keras").submodule_search_locations[0])


@cache
def public_names() -> dict[tuple[str, str], list[str]]:
    """For a module and a name in it, its public names: ("keras.src.layers.core.dense", "Dense"): ["layers.Dense"]."""
    found: dict[tuple[str, str], list[str]] = {}
    for file in sorted(home().rglob("__init__.py")):
        module = ".".join(file.parent.relative_to(home()).parts)
        if module.startswith(("src", "_tf_keras")):
            continue
        for line in ast.parse(file.read_text(encoding="utf-8")).body:
            for alias in line.names if isinstance(line, ast.ImportFrom) else ():
                path = f"{module}.{alias.asname or alias.name}".removeprefix(".")
                found.setdefault((line.module, alias.name), []).append(path)
    return found


@cache
def defined_in() -> dict[str, tuple[str, str]]:
    """The module and the name in it for every public name."""
    return {path: place for place, paths in public_names().items() for path in paths}


def of_minicnn(module: str, name: str) -> Any:
    """minicnn's object for a name in a module of Keras, public or internal; None if minicnn does not have it."""
    path = f"{module}.{name}".removeprefix("keras.").removeprefix("src.")
    place = defined_in().get(path, (module, name))
    objects = (compatibility.offered(known) for known in (path, *public_names().get(place, ())))
    return next((found for found in objects if found is not None), None)


def test_files() -> list[Path]:
    """Keras's test files for what minicnn has.

    `dense_test.py` is about dense.py: it is one of them if minicnn has a public name that is defined there. A file that
    is about no such module is one of them if it mentions a name that minicnn has and a module of its folder defines.
    """
    names: dict[Path, dict[str, bool]] = {}  # module: its public names, and whether minicnn has them
    for (module, name), paths in public_names().items():
        has = any(compatibility.offered(path) is not None for path in paths)
        names.setdefault(home().joinpath(*module.split(".")[1:]), {})[name] = has
    return [file for file in sorted(home().rglob("src/**/*_test.py")) if _is_about_minicnn(file, names)]


def _is_about_minicnn(file: Path, names: dict[Path, dict[str, bool]]) -> bool:
    of_its_module = names.get(file.with_name(file.stem.removesuffix("_test")))
    if of_its_module:
        return any(of_its_module.values())
    of_its_folder = [known for module, known in names.items() if file.parent in (module, module.parent)]
    offered = {name for known in of_its_folder for name, has in known.items() if has}
    return bool(offered & set(re.findall(r"\w+", file.read_text(encoding="utf-8"))))
