"""The page, from what has been measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from reproduce.document import Block, Bullets, Document, Heading, Paragraph, Table

from .recipes import RECIPES

SEARCHES = {"grid": "Grid search", "optuna": "Bayesian search"}

IMAGES_PER_CLASS = (10, 100, 1000)


def page(content: Mapping[str, Any]) -> Document:
    """The document of everything measured so far."""
    settings = content["settings"]
    counts = [len(runs_of(content, name)) for name in RECIPES]
    seeds = (
        f"{max(counts)} seeds"
        if min(counts) == max(counts)
        else f"up to {max(counts)} seeds, so far (a row without ± has one)"
    )
    blocks: list[Block] = [
        Paragraph(
            "The report ends with a list of future work: L2 penalties, tuning dropout, searches over learning rate and "
            "batch size, data augmentation, transfer learning. This page measures what each of them, and some more, "
            "brings to Model 5."
        ),
        Paragraph(
            f"Every row is Model 5 with one change, trained for {settings['epochs']} epochs on the first "
            f"{settings['training_images']:,} training images and measured on {settings['test_images']:,} test images: "
            f"mean ± standard deviation over {seeds}. Values such as the strength of a penalty are common ones, "
            "not tuned. The difference is to the first row, in points of accuracy, with its standard error; less than "
            "two standard errors may be chance. With more images or epochs, other rows can win: augmentation needs "
            "longer trainings, penalties help where the network overfits."
        ),
        recipes_table(content),
        Heading("Searches", 2),
        Paragraph(
            "Both searches train on four fifths of these training images and compare on the last fifth; the test "
            "images are not touched. A training takes half of the epochs at most. Their best values are trained again "
            "on all of them, for the table above."
        ),
        searches_list(content),
        Heading("Transfer learning", 2),
        Paragraph(
            "Model 5 is trained on these training images of the first seven classes. Then its convolutions are frozen, "
            "and a new head learns the other three (sneaker, bag, ankle boot) from few images of each. The same "
            "network from scratch learns from the same images. Accuracy on the test images of these three classes:"
        ),
        transfer_table(content) if "transfer" in content else Paragraph("*Not measured yet.*"),
        Heading("Measure it again", 2),
        Paragraph(
            "`python -m examples.future_work` measures what is missing and writes this page; it may be stopped at any "
            "time. `--limit 60000` takes all training images, `python examples/grid_search.py` and "
            "`python examples/optuna_search.py` are the searches alone."
        ),
    ]
    return Document("Future work, measured", blocks)


def recipes_table(content: Mapping[str, Any]) -> Table:
    baseline = [run["accuracy"] for run in runs_of(content, "baseline")]
    rows = []
    for name in (*RECIPES, *SEARCHES):
        if runs := runs_of(content, name):
            accuracy = [run["accuracy"] for run in runs]
            gain = "" if name == "baseline" else difference(accuracy, baseline)
            others = [spread([run[metric] for run in runs]) for metric in ("loss", "train_accuracy")]
            rows.append([title(content, name), spread(accuracy), gain, *others])
    return Table(["Model 5 with", "test accuracy", "difference", "test loss", "training accuracy"], rows)


def searches_list(content: Mapping[str, Any]) -> Bullets:
    items = []
    for name, found in content.get("searches", {}).items():
        pruned = f", {found['pruned']} of them pruned" if "pruned" in found else ""
        items.append(
            f"{SEARCHES[name]}, {found['trainings']} trainings{pruned}: learning rate {found['learning_rate']:.2g}, "
            f"batches of {found['batch_size']}, accuracy {found['accuracy']:.4f} on the held-out images."
        )
    return Bullets(items)


def transfer_table(content: Mapping[str, Any]) -> Table:
    rows = []
    for images in IMAGES_PER_CLASS:
        runs = [run for name, run in content.get("transfer", {}).items() if name.startswith(f"{images}-")]
        if runs:
            columns = [spread([run[kind] for run in runs]) for kind in ("transfer", "scratch")]
            gain = difference(*([run[kind] for run in runs] for kind in ("transfer", "scratch")))
            rows.append([f"{images:,}", *columns, gain])
    return Table(["images of each new class", "new head, frozen convolutions", "from scratch", "difference"], rows)


def runs_of(content: Mapping[str, Any], name: str) -> list[dict[str, float]]:
    """The measured runs of a recipe, one for each seed."""
    return list(content.get(name, {}).values())


def title(content: Mapping[str, Any], name: str) -> str:
    if name in RECIPES:
        return RECIPES[name].title
    found = content["searches"][name]
    return f"{SEARCHES[name]}: learning rate {found['learning_rate']:.2g}, batches of {found['batch_size']}"


def spread(values: Sequence[float]) -> str:
    """mean ± standard deviation; the value alone if there is one."""
    return f"{mean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def difference(values: Sequence[float], others: Sequence[float]) -> str:
    """The difference of two means in points, ± its standard error."""
    points = f"{100 * (mean(values) - mean(others)):+.2f}".replace("-", "−")
    if min(len(values), len(others)) < 2:
        return points
    return f"{points} ± {100 * (stdev(values) ** 2 / len(values) + stdev(others) ** 2 / len(others)) ** 0.5:.2f}"
