"""The measurements as a page: tables, the roofline, and the conditions of the run.

python -m benchmarks.report                  # fills docs/benchmarks.md from runs/benchmarks/results.json
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from .figures import draw_all
from .networks import TITLES
from .results import Measurement, Results
from .rounds import Summary, ratio, summarise
from .workers import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
FIGURES = "images/benchmarks"


def write(results: Results, out: Path) -> None:
    """Write report.md and the figures into a folder."""
    names = draw_all(results, out)
    _write(out / "report.md", "# Benchmark\n\n" + body(results, {name: name for name in names}))


def fill(results: Results, page: Path) -> None:
    """Replace the page's results and its figures."""
    names = draw_all(results, page.parent / FIGURES)
    fill_page(page, "results", body(results, {name: f"{FIGURES}/{name}" for name in names}))


def markers(section: str) -> tuple[str, str]:
    """The lines before and after the measurements of a page."""
    return f"<!-- {section}: begin -->", f"<!-- {section}: end -->"


def fill_page(page: Path, section: str, content: str) -> None:
    """Replace the text between the page's markers. Raises ValueError if it has none."""
    text, (begin, end) = page.read_text(encoding="utf-8"), markers(section)
    if begin not in text or end not in text:
        raise ValueError(f"{page} has no markers for {section}. Write '{begin}' and '{end}' where they belong.")
    _write(page, f"{text.split(begin)[0]}{begin}\n\n{content}\n{end}{text.split(end)[1]}")


def body(results: Results, figures: dict[str, str]) -> str:
    """The report in Markdown; `figures` maps file names to their paths in the page's links."""
    parts = [about(results), table(results), reading(results), table(results, series=True)]
    parts += [layer_table(results), roofline_table(results)]
    titles = {
        "training.png": "Time of a training step, by model and rival",
        "scaling.png": "Time of a training step over batch size, image side, channels and threads",
        "roofline.png": "FLOP rate of each layer under the machine's roofline",
        "layers.png": "Where the time of a training step goes, by layer",
    }
    parts += [f"![{titles[name]}.]({path})" for name, path in figures.items()]
    parts += [agreement_table(results), versions(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def about(results: Results) -> str:
    machine, settings = results.machine, results.settings
    caches = ", ".join(f"{level} {size}" for level, size in machine["caches"].items()) or "unknown"
    lines = [
        f"Measured on {machine['date']}: {machine['cpu']}, {machine['cores']} cores, caches {caches}, "
        f"{machine['memory_gib']} GiB of memory, {machine['system']}; {settings['threads']} threads for each library.",
        "Absolute times vary from machine to machine and from run to run. Compare the ratios.",
        *results.notes,
    ]
    return "\n\n".join(lines)


LAYER = "layer"


def table(results: Results, series: bool = False) -> str:
    """Medians of the single measurements, or of all series, and the ratio to the fastest Keras with its spread."""
    plain = [m for m in results.measurements if (m.x is not None) == series and m.rounds and m.measure != LAYER]
    rivals = list(dict.fromkeys(m.rival for m in plain))
    rivals.sort(key=list(results.labels).index)
    header = ["", *(results.labels[rival] for rival in rivals), "fastest Keras ÷ minicnn"]
    rows = []
    for measure, case in dict.fromkeys((m.measure, m.case) for m in plain):
        row = {m.rival: m for m in plain if (m.measure, m.case) == (measure, case)}
        unit = next(iter(row.values())).unit
        cells = [number(summarise(row[rival].rounds).median) if rival in row else "" for rival in rivals]
        title = case if series else f"{measure}: {case}"
        rows.append([f"{title} ({unit})", *cells, _against_keras(row)])
    return markdown_table(header, rows)


def layer_table(results: Results) -> str:
    """Every kind of layer, forward and backward, compared with the fastest PyTorch."""
    rows = []
    for case in results.cases(LAYER):
        rounds = results.rounds(LAYER, case)
        mine, others = rounds.pop("minicnn"), rounds.values()
        if others:
            fastest = min(others, key=lambda theirs: summarise(theirs).median)
            medians = [number(summarise(times).median) for times in (mine, fastest)]
            rows.append([f"`{case}`", *medians, spread(ratio(fastest, mine))])
    header = [
        "one layer, forward and backward",
        "minicnn (ms)",
        "fastest PyTorch (ms)",
        "PyTorch ÷ minicnn",
    ]
    return markdown_table(header, rows)


def reading(results: Results) -> str:
    if not any(m.x is None for m in results.measurements):
        return ""
    return (
        "Numbers are medians over the rounds. The last column says how many times as long the fastest Keras takes, "
        "round against round: the median, and in brackets the quartiles."
    )


def _against_keras(row: dict[str, Measurement]) -> str:
    backends = [m for rival, m in row.items() if rival.startswith("keras-")]
    if "minicnn" not in row or not backends:
        return ""
    fastest = min(backends, key=lambda m: summarise(m.rounds).median)
    return spread(ratio(fastest.rounds, row["minicnn"].rounds))


def roofline_table(results: Results) -> str:
    """The layers with matrix products: their FLOP rate and its fraction of the machine's limits."""
    if not results.profiles:
        return ""
    peak, bandwidth = results.peak["flops"], results.peak["bandwidth"]
    rows = [
        [
            TITLES[model],
            f"{layer['name']} {way}",
            number(time),
            number(rate / 1e9),
            f"{rate / peak:.0%}",
            f"{rate / roof:.0%}",
        ]
        for model, layer, way, time, intensity, rate in results.layer_rates()
        for roof in [min(peak, intensity * bandwidth)]
    ]
    header = ["", "layer", "ms", "GFLOP/s", "of the GEMM peak", "of its roof"]
    return (
        f"The machine's peak in this run: {peak / 1e9:.0f} GFLOP/s (a large single-precision product), "
        f"{bandwidth / 1e9:.1f} GB/s (a triad). A layer's roof is the lower of the peak and of what memory allows "
        "if it moves every array once.\n\n" + markdown_table(header, rows)
    )


def agreement_table(results: Results) -> str:
    """The largest difference from minicnn over all networks of the run."""
    others = [entry for entry in results.agreements if entry.rival != "minicnn"]
    if not others:
        return ""
    rows = []
    for rival in dict.fromkeys(entry.rival for entry in others):
        mine = [entry for entry in others if entry.rival == rival]
        output, gradient = max(entry.output for entry in mine), max(entry.gradient for entry in mine)
        rows.append([results.labels[rival], str(len(mine)), f"{output:.1e}", f"{gradient:.1e}"])
    return (
        "Equal networks: the largest difference from minicnn, as a share of the array's Euclidean norm, over all "
        "networks compared before they were timed.\n\n" + markdown_table(["", "networks", "outputs", "gradients"], rows)
    )


def versions(results: Results) -> str:
    lines = [
        f"- {results.labels[rival]}: " + ", ".join(f"{library} {version}" for library, version in found.items())
        for rival, found in results.versions.items()
    ]
    return "Versions:\n\n" + "\n".join(lines) if lines else ""


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return ""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, rule, *rows])


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}"


def spread(summary: Summary) -> str:
    return f"{summary.median:.2f} ({summary.low:.2f}–{summary.high:.2f})"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description="Write results into the page.")
    parser.add_argument("results", nargs="?", type=Path, default=ROOT / "runs/benchmarks/results.json")
    parser.add_argument("--page", type=Path, default=PAGE)
    chosen = parser.parse_args(arguments)
    if not chosen.results.is_file():
        parser.error(f"there is no {chosen.results}. `make bench` measures and writes it.")
    fill(Results.read(chosen.results), chosen.page)
    print(f"Filled {chosen.page}.")


if __name__ == "__main__":
    main()
