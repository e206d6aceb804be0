"""What the document says: every number comes from results.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from minicnn.datasets import CLASS_NAMES

from . import contradictions
from .document import Block, Bullets, Document, Heading, Paragraph, Picture, Table
from .verdicts import mean_and_deviation, verdict

METRICS = ("loss", "accuracy", "precision", "recall", "f1")
METRIC_NAMES = ("loss", "accuracy", "precision", "recall", "F1")
IN_REPORT = ("model4", "model5", "model6")

Results = Mapping[str, Any]
Runs = Sequence[Mapping[str, Any]]


def document(results: Results) -> Document:
    models = results["models"]
    blocks = [*_introduction(results)]
    if models:
        blocks += [*_table2(results), *_ensembles_and_machines(results)]
    blocks += _data(results)
    blocks += _figures_3_to_11(results)
    blocks += _cutoffs(results)
    if models:
        blocks += [*_learning_curves(results), *_calibration(results), *_mistakes(results)]
    blocks += contradictions.blocks(results)
    blocks += _sensitivity(results)
    blocks += _method(results)
    return Document("The report, reproduced", blocks)


def number(values: Sequence[float | None], digits: int = 4) -> str:
    """Mean ± standard deviation over the seeds, or the number of a single one; – where it has no meaning."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    mean, deviation = mean_and_deviation(known)
    return f"{mean:.{digits}f}" if deviation is None else f"{mean:.{digits}f} ± {deviation:.{digits}f}"


def numbers(runs: Runs, names: Sequence[str] = METRICS) -> list[str]:
    return [number([run.get(name) for run in runs]) for name in names]


def _seeds(results: Results) -> str:
    seeds = results["seeds"]
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds ({', '.join(map(str, seeds))})"


def _introduction(results: Results) -> list[Block]:
    settings = results["settings"]
    blocks: list[Block] = [
        Paragraph(
            "A student report, “Deep Learning Analysis on the MNIST Fashion Dataset” (October 2024), trains seven "
            "Keras models on Fashion-MNIST. This page trains them again with minicnn, shows its tables and figures "
            "beside ours, says which rows can be reproduced, and adds what the report names without numbers: "
            "ensembles and a support vector machine."
        ),
        Paragraph(
            f"Trained on {settings['training_images']:,} images and measured on {settings['test_images']:,} test "
            f"images, with {_seeds(results)}. “±” is one standard deviation over the seeds. Like the report, we "
            "measure on the test images after every epoch, but choose nothing by them."
        ),
    ]
    if (done := results["trainings"])["finished"] < done["planned"]:
        blocks.append(Paragraph(f"**Not complete: {done['finished']} of {done['planned']} trainings are finished.**"))
    if settings["data"] != "Fashion-MNIST" or settings["epochs"]:
        blocks.append(Paragraph("**A short run, for a first look: its numbers are not comparable with the report's.**"))
    return blocks


def _table2(results: Results) -> list[Block]:
    rows, verdicts = [], []
    for name, model in results["models"].items():
        report, keras = model["report"], results["keras"]["models"].get(name, [])
        rows.append([model["title"], "report", *(f"{report[metric]:.4f}" for metric in METRICS)])
        rows.append(["", "minicnn", *numbers(model["runs"])])
        rows.append(["", "Keras", *numbers(keras)])
        verdicts.append([model["title"], verdict(report, model["runs"])])
    return [
        Heading("Table 2: the results"),
        Table(["model", "source", *METRIC_NAMES], rows, names=2),
        Paragraph(
            "Precision, recall and F1 are unweighted averages over the ten classes. "
            f"Keras: {results['keras']['source']}."
        ),
        Table(["model", "verdict"], verdicts, names=2),
        Paragraph(
            "A number counts as reproduced if it lies within one standard deviation of our mean. With few seeds "
            "this deviation is itself uncertain, so each verdict says how far away the report is."
        ),
        Picture("accuracy", "Accuracy of all rows; red lines are the report's."),
    ]


def _ensembles_and_machines(results: Results) -> list[Block]:
    rows = []
    for ensemble, content in results["ensembles"].items():
        for rule, runs in content["rules"].items():
            rows.append([f"{ensemble}, {rule}", *numbers(runs), *numbers(runs, ["auc_macro"])])
    machines = results["machines"].values()
    for machine in machines:
        rows.append([machine["title"], *numbers(machine["runs"]), *numbers(machine["runs"], ["auc_macro"])])
    if not rows:
        return []
    members = "; ".join(f"{name}: {', '.join(of['members'])}" for name, of in results["ensembles"].items())
    blocks: list[Block] = [
        Heading("Ensembles and support vector machines"),
        Paragraph(
            "The report's captions name two ensembles, four ways to combine models and a support vector machine; "
            f"its text gives no numbers and no members. Our reading: {members}. The members of an ensemble share a "
            "seed."
        ),
        Table(["model", *METRIC_NAMES, "macro AUC"], rows),
        Paragraph(
            "A loss needs probabilities: the highest probability of several models and shares of votes are none, and "
            "neither are the decision values of a support vector machine."
        ),
    ]
    if machines:
        images = " and ".join(f"{machine['training_images']:,} ({machine['title']})" for machine in machines)
        blocks.append(
            Paragraph(
                "The support vector machines are scikit-learn's `SVC` with its defaults (RBF kernel, C = 1). They "
                f"learn from the first training images only: {images}, because their time grows with the square of "
                "that number. Model 5's features are the 128 outputs of its dense layer, so that machine differs "
                "between seeds."
            )
        )
    return blocks


def _data(results: Results) -> list[Block]:
    pixels = results["pixels"]
    return [
        Heading("Figures 1 and 2: the data"),
        Picture("samples", "Figure 1. Training images of every class."),
        Paragraph(
            f"Of {pixels['pixels']:,} pixels {pixels['missing']:,} are missing. Their values run from "
            f"{pixels['minimum']:.0f} to {pixels['maximum']:.0f}, with mean {pixels['mean']:.2f}, standard deviation "
            f"{pixels['std']:.2f}, median {pixels['median']:.0f}, quartiles {pixels['lower_quartile']:.0f} and "
            f"{pixels['upper_quartile']:.0f}, and skew {pixels['skew']:.3f}."
        ),
        Picture("pixels", "Figure 2. Check for missing values, statistics and skew of the pixels, by class."),
    ]


def _figures_3_to_11(results: Results) -> list[Block]:
    models = {name: model for name, model in results["models"].items() if name in IN_REPORT}
    if not models:
        return []
    first = results["seeds"][0]
    blocks: list[Block] = [Heading("Figures 3 to 5: confusion matrices")]
    for name, model in models.items():
        figure = 3 + IN_REPORT.index(name)
        blocks.append(Picture(f"confusion-{name}", f"Figure {figure}. {model['title']}, seed {first}."))
    blocks += [
        Heading("Figures 6 to 8: classification reports"),
        Paragraph("Printed beside ours: the figure shows the first seed, the table all of them."),
    ]
    for name, model in models.items():
        figure = 6 + IN_REPORT.index(name)
        blocks.append(Picture(f"report-{name}", f"Figure {figure}. {model['title']}, seed {first}, and the report's."))
        blocks.append(_by_class(model))
    blocks.append(Heading("Figures 9 to 11: ROC curves"))
    for name, model in models.items():
        figure = 9 + IN_REPORT.index(name)
        areas = "macro {}, micro {}".format(*numbers(model["runs"], ["auc_macro", "auc_micro"]))
        caption = f"Figure {figure}. {model['title']}, seed {first}. Area under the curve over all seeds: {areas}."
        blocks.append(Picture(f"roc-{name}", caption))
    return blocks


def _by_class(model: Mapping[str, Any]) -> Table:
    rows = []
    for k, name in enumerate(CLASS_NAMES):
        pairs = []
        for score in range(3):
            pairs += [f"{model['report_by_class'][k][score]:.2f}"]
            pairs += [number([run["by_class"][k][score] for run in model["runs"]], 3)]
        rows.append([name, *pairs])
    header = ["class", "precision: report", "ours", "recall: report", "ours", "F1: report", "ours"]
    return Table(header, rows)


def _cutoffs(results: Results) -> list[Block]:
    blocks: list[Block] = []
    bands = "Bands: one standard deviation over the seeds."
    for i, (ensemble, content) in enumerate(results["ensembles"].items(), start=1):
        if content["rules"]:
            blocks += [
                Picture(f"cutoff-ensemble{i}", f"Figure 12, {ensemble}: four rules. {bands}"),
                _cutoff_table(content["rules"]),
                Picture(f"classes-ensemble{i}", f"{ensemble}, average: each class's precision and recall. {bands}"),
            ]
    if not blocks:
        return []
    return [
        Heading("Figure 12: cutoff curves"),
        Paragraph(
            "An ensemble answers only where its largest score reaches the cutoff. A higher cutoff leaves more images "
            "without an answer and makes the answers that are given more often right."
        ),
        *blocks,
    ]


def _cutoff_table(rules: Mapping[str, Runs]) -> Table:
    """Share answered and accuracy among the answered, at a few cutoffs."""
    cutoffs = next(iter(rules.values()))[0]["cutoffs"]["cutoff"]
    rows = []
    for rule, runs in rules.items():
        for key, words in (("answered", "answered"), ("accuracy", "accuracy")):
            means = ([run["cutoffs"][key][c] for run in runs] for c in range(len(cutoffs)))
            rows.append([rule if key == "answered" else "", words, *(_mean(values) for values in means)])
    return Table(["rule", "cutoff", *(f"{cutoff:g}" for cutoff in cutoffs)], rows, names=2)


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.4f}" if len(known) == len(values) else "–"


def _learning_curves(results: Results) -> list[Block]:
    blocks: list[Block] = [Heading("Learning curves")]
    for i, (ensemble, content) in enumerate(results["ensembles"].items(), start=1):
        trained = [model["title"] for model in results["models"].values() if model["title"] in content["members"]]
        if trained:
            kind = "Conv1D" if ensemble == "Ensemble I" else "Conv2D"
            blocks.append(Picture(f"learning-ensemble{i}", f"The {kind} models. Bands: one standard deviation."))
    if "model6" in results["models"]:
        runs = results["models"]["model6"]["runs"]
        losses = [run["history"]["val_loss"] for run in runs]
        best = [loss.index(min(loss)) for loss in losses]
        at_best = [run["history"]["val_accuracy"][epoch] for run, epoch in zip(runs, best, strict=True)]
        blocks += [
            Paragraph(
                f"Model 6 overfits. Its test loss is lowest in epoch {', '.join(str(epoch + 1) for epoch in best)} "
                f"({number([min(loss) for loss in losses])}) and rises to {number([loss[-1] for loss in losses])} at "
                f"the end, while its training loss falls to {number([run['history']['loss'][-1] for run in runs])}. "
                f"Its accuracy was {number(at_best)} where the loss was lowest and is "
                f"{number([run['accuracy'] for run in runs])} at the end: the model grows surer of its mistakes rather "
                "than making more of them. In the report, too, Model 6 has a much higher loss than Model 5 at nearly "
                "the same accuracy."
            ),
            Picture("learning-model6", "Model 6: the test loss rises from its lowest point, which the ring marks."),
        ]
    return blocks


def _calibration(results: Results) -> list[Block]:
    rows = [
        [model["title"], number([run["calibration_error"] for run in model["runs"]])]
        for model in results["models"].values()
    ]
    for ensemble, content in results["ensembles"].items():
        if "average" in content["rules"]:
            errors = [run["calibration_error"] for run in content["rules"]["average"]]
            rows.append([f"{ensemble}, average", number(errors)])
    pictures = [
        Picture(f"calibration-{name}", f"{results['models'][name]['title']}, seed {results['seeds'][0]}.")
        for name in ("model5", "model6")
        if name in results["models"]
    ]
    return [
        Heading("Calibration"),
        Paragraph(
            "How sure a model is should be how often it is right. The expected calibration error is the mean distance "
            "between the two, over 15 bins of confidence."
        ),
        Table(["model", "expected calibration error"], rows),
        *pictures,
    ]


def _mistakes(results: Results) -> list[Block]:
    pictures = [
        Picture(f"mistakes-{name}", f"{model['title']}, seed {results['seeds'][0]}.")
        for name, model in results["models"].items()
    ]
    return [
        Heading("Most confident mistakes"),
        Paragraph(
            "The test images that each model gets wrong with the highest probability: above each its answer, below it "
            "the label. On some of them a person would side with the model."
        ),
        *pictures,
    ]


def _sensitivity(results: Results) -> list[Block]:
    variants = results["variants"]
    if not variants:
        return []
    header = ["variant", "parameters", "loss", "accuracy", "accuracy − base", "loss − report", "accuracy − report"]
    rows = []
    for base, model in results["models"].items():
        of_base = {name: variant for name, variant in variants.items() if variant["base"] == base}
        if not of_base:
            continue
        seeds = {run["seed"] for variant in of_base.values() for run in variant["runs"]}
        runs = [run for run in model["runs"] if run["seed"] in seeds]
        rows.append(_variant_row(f"**{model['title']}**", model["parameters"], runs, runs, model["report"]))
        for variant in of_base.values():
            title = f"{model['title']}, {variant['title']}"
            rows.append(_variant_row(title, variant["parameters"], variant["runs"], runs, model["report"]))
    count = max(len(variant["runs"]) for variant in variants.values())
    return [
        Heading("What the text leaves open"),
        Paragraph(
            "The report does not state padding, the order of layers, or where dropout and batch norm stand. "
            "Each variant changes one of these and keeps everything else, "
            f"the seed as well ({'one seed' if count == 1 else f'{count} seeds'})."
        ),
        Table(header, rows),
        Paragraph(
            "Pooling before ReLU is the same function, because the largest of several numbers stays the largest under "
            "max(x, 0): its row differs from Model 5's by rounding only, which ten epochs amplify. Differences of "
            "that size between other rows mean nothing."
        ),
        Paragraph(
            "Four convolutions with valid padding and three poolings do not exist: the third convolution would leave "
            "3 × 3 pixels, the fourth 1 × 1, and there is nothing to pool."
        ),
    ]


def _variant_row(title: str, parameters: int, runs: Runs, base: Runs, report: Mapping[str, float]) -> list[str]:
    loss, accuracy = (mean_and_deviation([run[name] for run in runs])[0] for name in ("loss", "accuracy"))
    of_base = mean_and_deviation([run["accuracy"] for run in base])[0]
    return [
        title,
        f"{parameters:,}",
        *numbers(runs, ["loss", "accuracy"]),
        "" if runs is base else f"{accuracy - of_base:+.4f}",
        f"{loss - report['loss']:+.4f}",
        f"{accuracy - report['accuracy']:+.4f}",
    ]


def _method(results: Results) -> list[Block]:
    settings, versions = results["settings"], results["versions"]
    packages = ", ".join(f"{name} {of}" for name, of in versions.items() if of)
    return [
        Heading("How this page was made"),
        Paragraph(
            "`make reproduce` trains everything and writes this page; it may be stopped at any time and goes on where "
            "it was. All numbers come from `results.json`, and that is computed from the predictions, which are saved "
            "as float32 arrays. scikit-learn computes the same metrics from them. The loss is the mean of −ln p "
            "without clipping: give `log_loss` the probabilities as float64, it clips float32 at 10⁻⁷."
        ),
        Bullets(
            [
                f"Backend {settings['backend']} on the {settings['device']}; {packages}; {results['processor']}.",
                "Adam with a learning rate of 0.001, batches of 64, pixels divided by 255, categorical cross-entropy.",
                "Model 6 is Model 5 of the same seed, trained on from epoch 10 to 25: bit for bit 25 epochs at once.",
            ]
        ),
    ]
