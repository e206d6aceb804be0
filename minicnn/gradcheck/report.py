"""The report of a check: one line for each gradient and each rule of the protocol, and the reasons of mistakes."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from textwrap import fill
from typing import Any

import numpy as np

RIGHT, WRONG, NO_DERIVATIVE = "right", "WRONG", "no derivative here"


class GradientError(AssertionError):
    """A gradient is wrong, or a rule of the protocol is broken; the message is the whole report with its diagnosis."""


@dataclass(frozen=True)
class Finding:
    """One gradient or rule: its largest relative error (None for a rule), and the diagnosis if it is wrong."""

    quantity: str
    diagnosis: str | None = None
    """What is wrong and why; None if nothing is."""
    cause: str | None = None
    """The identifier of the cause in `minicnn.gradcheck.mistakes`; None if nothing is wrong, or no cause is proven."""
    causes: tuple[str, ...] = ()
    """All causes that cannot be told apart on these arrays; usually one."""
    entries: str = ""
    """How many entries were compared: "500 of 1200"."""
    error: float | None = None
    tolerance: float | None = None
    no_derivative: int = 0
    """How many entries were left out, because the function has no derivative there."""
    note: str = ""
    """A remark on a right gradient, such as that it is computed in float32."""

    @property
    def ok(self) -> bool:
        return self.diagnosis is None

    @property
    def verdict(self) -> str:
        """ "right", "WRONG", or "no derivative here" if that holds for all entries."""
        if not self.ok:
            return WRONG
        return NO_DERIVATIVE if self.note == NO_DERIVATIVE else RIGHT

    @property
    def points(self) -> int:
        """1 for a right gradient, 0 for a wrong one; a rule gives none."""
        return int(self.ok and self.error is not None)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; an infinite error is None."""
        return {
            "quantity": self.quantity,
            "verdict": self.verdict,
            "cause": self.cause,
            "causes": list(self.causes),
            "diagnosis": self.diagnosis,
            "entries": self.entries,
            "error": self.error if self.error is not None and np.isfinite(self.error) else None,
            "tolerance": self.tolerance,
            "no_derivative": self.no_derivative,
            "note": self.note,
            "points": self.points,
        }


@dataclass(frozen=True)
class Report:
    """All findings for one function. It prints as a table, and is true if everything is right."""

    title: str
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...] = ()
    """What else is worth knowing, although nothing is wrong with it."""

    @property
    def ok(self) -> bool:
        """Whether all gradients are right and all rules are kept."""
        return all(finding.ok for finding in self.findings)

    @property
    def diagnosis(self) -> str:
        """What is wrong and why, one paragraph for each wrong gradient or rule; empty if nothing is wrong."""
        return "\n".join(f"{found.quantity}: {found.diagnosis}" for found in self.findings if not found.ok)

    @property
    def causes(self) -> tuple[str, ...]:
        """The identifiers of all proven causes."""
        return tuple(dict.fromkeys(found.cause for found in self.findings if found.cause))

    @property
    def points(self) -> tuple[int, int]:
        """The number of right gradients, and of all gradients."""
        return sum(f.points for f in self.findings), sum(f.error is not None for f in self.findings)

    def raise_if_wrong(self) -> None:
        """Raise GradientError with the report unless everything is right."""
        if not self.ok:
            raise GradientError(str(self))

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, which json.dumps accepts."""
        right, all_ = self.points
        return {
            "title": self.title,
            "ok": self.ok,
            "points": right,
            "of": all_,
            "causes": list(self.causes),
            "findings": [found.to_dict() for found in self.findings],
            "remarks": list(self.remarks),
        }

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        width = max(len(finding.quantity) for finding in self.findings)
        lines = [self.title, "", f"{'':{width}}  {'entries':>13}  {'error':>7}  {'tolerance':>9}  verdict"]
        for found in self.findings:
            error, tolerance = (_short(number) for number in (found.error, found.tolerance))
            lines.append(
                f"{found.quantity:{width}}  {found.entries:>13}  {error:>7}  {tolerance:>9}  {_verdict(found)}"
            )
        paragraphs = [*self.diagnosis.splitlines(), *self.remarks]
        wrapped = [fill(paragraph, 100, subsequent_indent="  ") for paragraph in paragraphs]
        return "\n".join([*lines, "", *wrapped] if wrapped else lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The table and the diagnosis for a notebook."""
        rows = "".join(
            f"<tr><td><code>{escape(f.quantity)}</code></td><td>{f.entries}</td><td>{_short(f.error)}</td>"
            f"<td>{_short(f.tolerance)}</td><td>{'✓' if f.ok else '✗'} {escape(_verdict(f))}</td></tr>"
            for f in self.findings
        )
        reasons = "".join(
            f"<p><code>{escape(f.quantity)}</code>: {escape(f.diagnosis or '')}"
            + (f" <small>({escape(', '.join(f.causes))})</small>" if f.causes else "")
            + "</p>"
            for f in self.findings
            if not f.ok
        )
        remarks = "".join(f"<p>{escape(remark)}</p>" for remark in self.remarks)
        head = "".join(f"<th>{name}</th>" for name in ("", "entries", "error", "tolerance", "verdict"))
        return f"<p>{escape(self.title)}</p><table><tr>{head}</tr>{rows}</table>{reasons}{remarks}"


def _verdict(found: Finding) -> str:
    left_out = f", no derivative at {found.no_derivative}" if found.no_derivative else ""
    note = f", {found.note}" if found.note and found.note != NO_DERIVATIVE else ""
    return NO_DERIVATIVE if found.verdict == NO_DERIVATIVE else f"{found.verdict}{left_out}{note}"


def _short(number: float | None) -> str:
    return "" if number is None else f"{number:.0e}"
