"""What a check found: one line for each gradient and each rule of the protocol, and the reason where one is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill


class GradientError(AssertionError):
    """A gradient is wrong, or a backward misbehaves; the message is the whole report, with the diagnosis."""


@dataclass(frozen=True)
class Finding:
    """One quantity or rule: its largest relative error (None for a rule), and what is wrong with it, if anything is."""

    quantity: str
    diagnosis: str | None
    entries: str = ""
    """How many entries were compared, of how many."""
    error: float | None = None
    tolerance: float | None = None

    @property
    def ok(self) -> bool:
        return self.diagnosis is None


@dataclass(frozen=True)
class Report:
    """All findings on one function. Prints as a table; true if everything is right."""

    title: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether every gradient is right and every rule is kept."""
        return all(finding.ok for finding in self.findings)

    @property
    def diagnosis(self) -> str:
        """What is wrong and why, a paragraph for each wrong quantity; empty if nothing is."""
        return "\n".join(f"{found.quantity}: {found.diagnosis}" for found in self.findings if not found.ok)

    def raise_if_wrong(self) -> None:
        """Raise GradientError, which says what is wrong and why, unless everything is right."""
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
