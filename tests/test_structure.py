"""The modules form layers: no two of them import each other, directly or through others."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def imports(package):
    """What each module of a package imports of it: anywhere in its code, in functions and for type checkers too."""
    modules = {name_of(path): path for path in (ROOT / package).rglob("*.py")}
    return {name: imported_by(name, path, modules) for name, path in modules.items()}


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_by(name, path, modules):
    """The modules, without the packages that the module is in: Python imports these before it in any case."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inside = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
            parents = inside[: len(inside) - node.level + 1] if node.level else []
            source = ".".join([*parents, *([node.module] if node.module else [])])
            for alias in node.names:
                found.add(f"{source}.{alias.name}" if f"{source}.{alias.name}" in modules else source)
    return {other for other in found if other in modules and not f"{name}.".startswith(f"{other}.")}


@pytest.mark.parametrize("package", ["minicnn", "benchmarks", "examples"])
def test_no_modules_import_each_other(package):
    graph = imports(package)
    assert sum(map(len, graph.values())) > len(graph) / 2
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


def test_the_layers_of_a_model():
    """A network knows nothing of training, training nothing of Sequential."""
    graph = imports("minicnn")

    def below(name):
        return graph[name].union(*map(below, graph[name]))

    assert "minicnn.network" in below("minicnn.training")
    assert "minicnn.training" in below("minicnn.models")
    assert below("minicnn.network").isdisjoint({"minicnn.training", "minicnn.losses", "minicnn.optimizers"})
