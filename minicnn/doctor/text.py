"""The findings for a terminal: facts, tables, and the summary as the last sentence."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

WIDTH = 100  # characters per line of prose; tables may be wider


def as_text(findings: dict[str, Any]) -> str:
    """The whole text."""
    parts = [
        _facts(findings),
        _backends(findings["backends"]),
        _operations(findings["operations"]),
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
        "Load": f"{machine['load']}: other programs use the CPU, so times vary" if _busy(machine) else "",
        **{name: value for name, value in machine["environment"].items() if value != "not set"},
    }
    return _pairs({name: text for name, text in facts.items() if text})


def _busy(machine: dict[str, Any]) -> bool:
    return (machine["load"] or 0) > machine["usable_cpus"] / 2


def _backends(backends: dict[str, dict[str, Any]]) -> list[str]:
    lines = {}
    for name, facts in backends.items():
        if facts["available"]:
            threads = f", {facts['threads']} threads" if facts["threads"] else ""
            default = ", used by default" if facts["default"] else ""
            line = f"available, loaded in {facts['load_ms']:.0f} ms{threads}{default}"
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


def _operations(checks: list[dict[str, Any]]) -> list[str]:
    backends = _unique(check["backend"] for check in checks)
    both = {key: [c for c in checks if (c["operation"], c["backend"]) == key] for key in _unique(map(_key, checks))}
    rows = [
        [name, *(cell for backend in backends for cell in _cells(both[name, backend]))]
        for name in _unique(check["operation"] for check in checks)
    ]
    heading = ["", *(cell for backend in backends for cell in (backend, "ms", "us"))]
    title = "Operations: ok or the error against the textbook; ms of the first call, us of later ones (float32)"
    return [title, *_table([heading, *rows])] if rows else []


def _key(check: dict[str, Any]) -> tuple[str, str]:
    return check["operation"], check["backend"]


def _cells(both: list[dict[str, Any]]) -> tuple[str, str, str]:
    """An operation's table cells for one backend: the verdict for both precisions, and the times of float32."""
    wrong = [check for check in both if not check["ok"]]
    if not wrong:
        verdict = "ok"
    elif any(check["error"] is None for check in wrong):
        verdict = "WRONG"
    else:
        verdict = f"{max(check['error'] for check in wrong):.0e}"
    timed = [check for check in both if check["steady_ms"] is not None]
    if not timed:
        return verdict, "-", "-"
    return verdict, f"{timed[0]['first_ms']:.1f}", f"{1000 * timed[0]['steady_ms']:.1f}"


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
        f"ms per step, batch {steps['batch_size']}",
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


def _unique(items: Iterable[Any]) -> list[Any]:
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
    """The first column left-aligned, the others right-aligned."""
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    return [
        row[0].ljust(first) + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], others, strict=True))
        for row in rows
    ]


def _wrapped(lines: list[str]) -> list[str]:
    """The lines, with long prose wrapped."""
    return [
        part
        for line in lines
        for part in (textwrap.wrap(line, WIDTH + 20, break_on_hyphens=False) if len(line) > WIDTH + 20 else [line])
    ]
