"""The table and the figures of docs/it-still-trains.md, from the results in docs/data/still-trains.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minicnn.plots.styles import STYLES, add_legend, new_figure, tidy

from ..experiment.files import write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOCS = Path(__file__).resolve().parents[2] / "docs"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
RULES = {"adam": "Adam", "momentum": "SGD, momentum"}


def write_page() -> None:
    """Replace what is between the marks on the page, and draw the figure in both styles."""
    results = json.loads((DOCS / "data/still-trains.json").read_text("utf-8"))
    page = DOCS / "it-still-trains.md"
    text = page.read_text("utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    write_text(page, f"{before}{BEGIN}\n\n{summary(results)}\n\n{table(results)}\n\n{END}{after}")
    for style in STYLES:
        figure(results, style).savefig(DOCS / f"images/still-trains-{style}.png", metadata={"Software": None})


def lowest(results: dict[str, Any], rule: str) -> float:
    """The lowest accuracy of the right networks with this optimiser."""
    return min(results["right"][rule])


def summary(results: dict[str, Any]) -> str:
    """What was trained, and how many of the wrong networks cannot be told from right ones."""
    setup, bugs = results["setup"], list(results["bugs"].values())
    unseen = [bug for bug in bugs if any(acc >= lowest(results, rule) for rule, acc in bug["accuracy"].items())]
    chance = [bug for bug in bugs if all(acc < 0.2 for acc in bug["accuracy"].values())]
    noticed, named = sum(bug["noticed"] for bug in bugs), sum(bug["name"] in bug["causes"] for bug in bugs)
    right = "; ".join(
        f"{name}: {', '.join(f'{100 * accuracy:.1f}' for accuracy in results['right'][rule])} %"
        for rule, name in RULES.items()
    )
    return (
        f"{setup['images']:,} images of {setup['data']}, {setup['epochs']} epochs, batches of {setup['batch']}. "
        f"The right network, with three seeds: {right}.\n\n"
        f"Of {len(bugs)} networks with a mistake, {len(unseen)} are, with one of the optimisers, at least as good as "
        f"the worst right one: bold in the table. Only {len(chance)} stay below 20 %. The doctor notices {noticed} of "
        f"{len(bugs)}, and names the mistake of {named}."
    )


def table(results: dict[str, Any]) -> str:
    """A line for each mistake: where, what, the accuracies, and what the doctor names."""
    lines = ["| in | mistake | " + " | ".join(RULES.values()) + " | the doctor names |", "|---|---|---:|---:|---|"]
    for bug in results["bugs"].values():
        place = bug["place"] if bug["place"] in ("loss", *RULES) else f"{bug['place']}, {array(bug)}"
        cells = [percent(bug["accuracy"].get(rule), lowest(results, rule)) for rule in RULES]
        causes = ", ".join(f"`{cause}`" for cause in bug["causes"])
        verdict = causes or ("wrong, without a cause" if bug["noticed"] else "nothing")
        lines.append(f"| {place} | {bug['sentence']} | {' | '.join(cells)} | {verdict} |")
    return "\n".join(lines)


def array(bug: dict[str, Any]) -> str:
    return f"d{bug['role']}"


def percent(accuracy: float | None, worst: float) -> str:
    if accuracy is None:
        return "–"
    return f"**{100 * accuracy:.1f}**" if accuracy >= worst else f"{100 * accuracy:.1f}"


def figure(results: dict[str, Any], style: str) -> Figure:
    """A row for each mistake with the accuracy of both optimisers; a band for the right networks."""
    bugs = list(results["bugs"].values())
    drawn, look, (axes,) = new_figure("It still trains", 9, 1.6 + 0.24 * len(bugs), style)
    for number, (rule, name) in enumerate(RULES.items()):
        colour = look.curves[number]
        axes.axvspan(lowest(results, rule), max(results["right"][rule]), color=colour, alpha=0.25, linewidth=0)
        rows = [row for row, bug in enumerate(bugs) if rule in bug["accuracy"]]
        values = [bugs[row]["accuracy"][rule] for row in rows]
        axes.plot(values, rows, "os"[number], color=colour, markersize=5, label=name)
    axes.set_yticks(range(len(bugs)), [label(bug) for bug in bugs], fontsize=7.5)
    axes.set_ylim(len(bugs) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_xlabel("accuracy on the test images (bands: the right network, three seeds)")
    tidy(axes, look)
    add_legend(drawn, look, loc="outside lower center", ncols=2)
    return drawn


def label(bug: dict[str, Any]) -> str:
    words = bug["name"].partition(".")[2].replace("-", " ").removesuffix(" 0 1")
    return f"{bug['place']}: {words}" + ("" if bug["role"] == "x" else f" ({array(bug)})")
