"""The report of a check: one line for each gradient and each rule of the protocol, and the reasons of mistakes."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill


class GradientError(AssertionError):
    """A gradient is wrong, or a rule of the protocol is broken; the message is the whole report with its diagnosis."""


@dataclass(frozen=True)
class Finding:
    """One gradient or rule: its largest relative error (None for a rule), and the diagnosis if it is wrong."""

    quantity: str
    diagnosis: str | None
    entries: str = ""
    """How many entries were compared: "500 of 1200"."""
    error: float | None = None
    tolerance: float | None = None

    @property
    def ok(self) -> bool:
        return self.diagnosis is None


@dataclass(frozen=True)
class Report:
    """All findings for one function. It prints as a table, and is true if everything is right."""

    title: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether all gradients are right and all rules are kept."""
        return all(finding.ok for finding in self.findings)

    @property
    def diagnosis(self) -> str:
        """What is wrong and why, one paragraph for each wrong gradient or rule; empty if nothing is wrong."""
        return "\n".join(f"{found.quantity}: {found.diagnosis}" for found in self.findings if not found.ok)

    def raise_if_wrong(self) -> None:
        """Raise GradientError with the report unless everything is right."""
        if not self.ok:
            raise GradientError(str(self))

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        width = max(len(finding.quantity) for finding in self.findings)
        lines = [self.title, "", f"{'':{width}}  {'entries':>13}  {'error':>7}  {'tolerance':>9}  verdict"]
        for found in self.findings:
            error, tolerance = (_short(number) for number in (found.error, found.tolerance))
            verdict = "right" if found.ok else "WRONG"
            lines.append(f"{found.quantity:{width}}  {found.entries:>13}  {error:>7}  {tolerance:>9}  {verdict}")
        wrapped = [fill(paragraph, 100, subsequent_indent="  ") for paragraph in self.diagnosis.splitlines()]
        return "\n".join([*lines, "", *wrapped] if wrapped else lines)

    __repr__ = __str__


def _short(number: float | None) -> str:
    return "" if number is None else f"{number:.0e}"
