"""The findings for a terminal: facts, two tables, and the summary as the last sentence."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

WIDTH = 100  # of prose; the tables are as wide as they have to be


def as_text(findings: dict[str, Any]) -> str:
    """The whole text."""
    parts = [
        _facts(findings),
        _backends(findings["backends"]),
        _checks(findings["operations"]),
        _times(findings["operations"]),
        _steps(findings["steps"]),
        _rounding(findings["rounding"]),
        [*findings["failures"], findings["summary"]],
    ]
    return "\n\n".join("\n".join(_wrapped(part)) for part in parts if part)


def _facts(findings: dict[str, Any]) -> list[str]:
    machine = findings["machine"]
    facts = {
        "minicnn": findings["minicnn"],
        "Python": machine["python"],
        **{name: facts["version"] or f"missing: {facts['install']}" for name, facts in findings["packages"].items()},
        "System": machine["system"],
        "CPU": f"{machine['cpu']}, {machine['usable_cpus']} of {machine['cpus']} logical CPUs usable",
        **{name: value for name, value in machine["environment"].items() if value != "not set"},
    }
    return _pairs(facts)


def _backends(backends: dict[str, dict[str, Any]]) -> list[str]:
    lines = {}
    for name, facts in backends.items():
        if facts["available"]:
            threads = f", {facts['threads']} threads" if facts["threads"] else ""
            line = f"available{threads}{', used by default' if facts['default'] else ''}"
        else:
            line = f"not available. {facts['why_not']}"
        lines[f"{name} ({facts['device']})"] = line
        if facts["gpu"]:
            gpu = facts["gpu"]
            lines["GPU"] = (
                f"{gpu['name']}, compute capability {gpu['compute_capability']}, {gpu['memory_gib']} GiB, "
                f"driver for CUDA {gpu['driver_cuda']}, runtime CUDA {gpu['runtime_cuda']}"
            )
    return ["Backends", *_pairs(lines)]


def _checks(checks: list[dict[str, Any]]) -> list[str]:
    columns = _unique((check["backend"], check["dtype"]) for check in checks)
    cells = {(c["operation"], (c["backend"], c["dtype"])): _verdict(c) for c in checks}
    rows = [
        [operation, *(cells[operation, column] for column in columns)]
        for operation in _unique(check["operation"] for check in checks)
    ]
    heading = ["against the textbook", *(f"{backend} {dtype}" for backend, dtype in columns)]
    return _table([heading, *rows]) if rows else []


def _verdict(check: dict[str, Any]) -> str:
    if check["ok"]:
        return "ok"
    return "WRONG" if check["error"] is None else f"off by {check['error']:.0e}"


def _times(checks: list[dict[str, Any]]) -> list[str]:
    timed = [check for check in checks if check["steady_ms"] is not None]
    backends = _unique(check["backend"] for check in timed)
    cells = {(c["operation"], c["backend"]): (f"{c['first_ms']:.1f}", f"{1000 * c['steady_ms']:.1f}") for c in timed}
    rows = [
        [operation, *(cell for backend in backends for cell in cells.get((operation, backend), ("-", "-")))]
        for operation in _unique(check["operation"] for check in timed)
    ]
    heading = ["float32: first call, then", *(f"{name} {unit}" for name in backends for unit in ("ms", "us"))]
    return _table([heading, *rows]) if rows else []


def _steps(steps: dict[str, Any] | None) -> list[str]:
    if not steps:
        return []
    columns = _unique((time["backend"], time["tf32"]) for time in steps["times"])
    cells = {(time["model"], (time["backend"], time["tf32"])): _ms(time["ms"]) for time in steps["times"]}
    rows = [
        [model, *(cells[model, column] for column in columns)]
        for model in _unique(time["model"] for time in steps["times"])
    ]
    heading = [
        f"ms a step, batch {steps['batch_size']}",
        *(f"{name}{' TF32' if tf32 else ''}" for name, tf32 in columns),
    ]
    return _table([heading, *rows])


def _rounding(errors: list[dict[str, Any]] | None) -> list[str]:
    if not errors:
        return []
    rows = [
        [error["operation"], "TF32" if error["tf32"] else "float32", f"{error['error']:.1e}" if error["error"] else "-"]
        for error in errors
    ]
    return _table([["rounding of products", "", "error"], *rows])


def _ms(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:.2f}"


def _unique(items: Iterator[Any]) -> list[Any]:
    return list(dict.fromkeys(items))


def _pairs(facts: dict[str, str]) -> list[str]:
    width = max(map(len, facts)) + 2
    return [
        line
        for name, text in facts.items()
        for line in textwrap.wrap(
            f"{name:{width}}{text}",
            WIDTH,
            subsequent_indent=" " * width,
            break_on_hyphens=False,
            break_long_words=False,
        )
    ]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first column to the left, the others to the right."""
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    return [
        row[0].ljust(first) + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], others, strict=True))
        for row in rows
    ]


def _wrapped(lines: list[str]) -> list[str]:
    """Prose that is too long for a line, over several."""
    return [
        part
        for line in lines
        for part in (textwrap.wrap(line, WIDTH + 20, break_on_hyphens=False) if len(line) > WIDTH + 20 else [line])
    ]
