"""The benchmark compares equal networks in turns, stores its measurements, and explains failures. No timings."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the benchmark is a tool of the repository, not a part of the installed package

from benchmarks import __main__ as command  # noqa: E402
from benchmarks import (  # noqa: E402
    ablation,
    agreement,
    bench,
    channels_first,
    environments,
    ladder,
    layer_times,
    machine,
    networks,
    report,
)
from benchmarks.measures import accuracy  # noqa: E402
from benchmarks.recipe import Recipe, model7  # noqa: E402
from benchmarks.results import Agreement, Measurement, Results  # noqa: E402
from benchmarks.rivals import variants  # noqa: E402
from benchmarks.rounds import interleave, ratio, summarise  # noqa: E402
from benchmarks.workers import Worker, WorkerError  # noqa: E402
from minicnn import Input, Sequential  # noqa: E402
from minicnn.layers import (  # noqa: E402
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPooling1D,
    ReLU,
)
from minicnn.optimizers import AdamW  # noqa: E402
from minicnn.optimizers.schedules import CosineDecay  # noqa: E402
from minicnn.utils import set_random_seed  # noqa: E402

set_random_seed(0)  # with other weights, all numbers of a channel may pass ReLU: batch norm then cancels its bias
TINY = Sequential(
    [
        Input((8, 3)),
        Conv1D(4, 3, activation="relu"),
        MaxPooling1D(2),
        Dropout(0.5),
        BatchNormalization(),
        Flatten(),
        Dense(10, activation="softmax"),
    ]
)


@pytest.fixture
def tiny(tmp_path):
    """A small network with a layer of every kind, its weights and its samples in files."""
    np.savez(tmp_path / "weights.npz", *TINY.get_weights())
    network = networks.network_of(TINY)
    x, y = networks.samples_for(network, 64)
    np.savez(tmp_path / "data.npz", x=x, y=y)
    return network, str(tmp_path / "weights.npz"), str(tmp_path / "data.npz")


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    with Worker("minicnn", Path(sys.executable), 1, tmp_path_factory.mktemp("logs")) as process:
        yield process


@pytest.fixture
def results():
    """A made-up run: two rivals in training and in one series, and one profile."""
    labels = {"minicnn": "minicnn", "keras-jax": "Keras, JAX", "keras-torch": "Keras, PyTorch"}
    made_up = Results(
        {"cpu": "a CPU", "cores": 2, "caches": {"L2": "1M"}, "memory_gib": 4, "system": "Linux", "date": "2020-02-02"},
        {"threads": 2},
        labels,
        versions={"keras-jax": {"keras": "3.0"}},
        notes=["The machine was busy."],
        agreements=[Agreement("Model 5", "keras-jax", 1e-7, 2e-6)],
        peak={"flops": 1e11, "bandwidth": 1e10},
    )
    rounds = {"minicnn": [1.0, 2.0, 3.0], "keras-jax": [2.0, 5.0, 6.0], "keras-torch": [7.0, 8.0, 9.0]}
    made_up.measurements = [Measurement("training", "Model 5", rival, "ms", times) for rival, times in rounds.items()]
    made_up.measurements += [
        Measurement("Model 5 by threads", f"Model 5 by threads: {n}", rival, "ms", rounds[rival], n)
        for n, rival in product((1, 2), ("minicnn", "keras-jax"))
    ]
    layer = {"name": "conv2d", "class": "Conv2D", "forward": 1.0, "backward": 2.0}
    work = {"forward_flops": 5e7, "backward_flops": 1e8, "forward_bytes": 1e6, "backward_bytes": 2e6}
    made_up.profiles = {"model5": {"step": 4.0, "layers": [layer | work], "optimizer": 0.5, "rest": 0.5}}
    return made_up


# taking turns


def test_rivals_take_turns():
    order: list[str] = []
    turns = {name: lambda name=name: order.append(name) or float(len(order)) for name in "AB"}
    assert interleave(turns, rounds=3, seconds=60) == {"A": [1, 3, 5], "B": [2, 4, 6]}
    assert order == list("ABABAB")


def test_a_spent_budget_ends_the_rounds_but_at_least_two_are_run():
    assert interleave({"A": lambda: 1.0}, rounds=9, seconds=0) == {"A": [1.0, 1.0]}


def test_a_rival_that_fails_is_left_out_and_the_others_go_on():
    @contextmanager
    def may_fail(name):
        try:
            yield
        except WorkerError:
            failed.append(name)

    def fail():
        raise WorkerError("out of memory")

    failed: list[str] = []
    times = interleave({"A": lambda: 1.0, "B": fail, "C": lambda: 3.0}, 2, 60, may_fail)
    assert times == {"A": [1.0, 1.0], "C": [3.0, 3.0]}
    assert failed == ["B"]


def test_ratios_are_taken_round_by_round():
    assert summarise([4.0, 1.0, 2.0]).median == 2.0
    twice = ratio([2.0, 20.0, 200.0], [1.0, 10.0, 100.0])  # the machine grew slower; the ratio did not
    assert (twice.low, twice.median, twice.high) == (2.0, 2.0, 2.0)


# equal networks


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_a_network_is_the_example_s_model_and_survives_json(name):
    network = json.loads(json.dumps(networks.network_named(name)))
    rebuilt = networks.model_of(network)
    assert networks.network_of(rebuilt)["layers"] == network["layers"]
    x, y = networks.samples_for(network, 3)
    assert rebuilt.predict(x).shape == y.shape == (3, 10)
    assert x.dtype == y.dtype == np.float32


def test_only_dropout_is_switched_off():
    before, after = networks.network_of(TINY), networks.without_dropout(networks.network_of(TINY))
    changed = [b["class"] for b, a in zip(before["layers"], after["layers"], strict=True) if a != b]
    assert changed == ["Dropout"]
    assert after["layers"][2]["config"]["rate"] == 0


@pytest.mark.parametrize("name", ["baseline", "model3", "model5"])
def test_weights_come_back_from_channels_first(name):
    network = networks.network_named(name)
    spatial = [
        axes
        for layer, _, _, axes in channels_first.walk(network)
        for _ in range({"Conv": 2, "Batc": 4, "Dens": 2}.get(layer[:4], 0))
    ]
    for weight, axes in zip(networks.model_of(network).get_weights(), spatial, strict=True):
        there = channels_first.to_channels_first(weight, axes)
        np.testing.assert_array_equal(channels_first.to_channels_last(there, axes, weight.shape), weight)


def test_a_dense_kernel_behind_flatten_follows_the_channels():
    generator = np.random.default_rng(0)
    x, kernel = generator.normal(size=(2, 3, 4, 5)), generator.normal(size=(3 * 4 * 5, 6))
    turned = channels_first.to_channels_first(kernel, (3, 4))
    y = channels_first.images_first(x).reshape(2, -1) @ turned.reshape(6, -1).T
    np.testing.assert_allclose(y, x.reshape(2, -1) @ kernel, atol=1e-12)


def test_a_network_agrees_with_itself_and_not_with_another(worker, tiny, tmp_path):
    network, weights, data = tiny

    class Impostor:
        """The same process, but it builds the network with one weight changed."""

        def ask(self, call, **arguments):
            if call == "build":
                with np.load(weights) as arrays:
                    changed = dict(arrays)
                changed["arr_0"] = changed["arr_0"] + 0.05
                arguments["weights"] = str(tmp_path / "changed.npz")
                np.savez(arguments["weights"], **changed)
            return worker.ask(call, **arguments)

    worker.ask("data", path=data)
    workers = {"minicnn": worker, "twin": worker, "impostor": Impostor()}

    @contextmanager
    def may_fail(rival, case):
        yield

    _, twin, impostor = agreement.compare("tiny", network, weights, workers, tmp_path, may_fail)
    assert twin.holds
    assert twin.gradient < 1e-5  # the batch was shuffled
    assert not impostor.holds
    assert "impostor disagrees with minicnn" in impostor.sentence()


@pytest.mark.parametrize(
    ("found", "far"),
    [([3.0, 4.0], 0.0), ([3.0, 4.5], 0.1), ([3.0, np.nan], np.inf), ([3.0], np.inf)],
    ids=["equal", "a tenth", "nan", "another shape"],
)
def test_the_distance_is_relative_to_the_expected_arrays_norm(found, far):
    assert agreement.distance(np.array(found), np.array([3.0, 4.0])) == pytest.approx(far)


# workers


@pytest.mark.usefixtures("needs_numba")
def test_a_worker_trains_and_predicts_and_reports_its_memory(worker, tiny):
    network, weights, data = tiny
    assert "numba" in worker.ask("versions")
    worker.ask("data", path=data)
    worker.ask("build", network=network, weights=weights)
    assert worker.ask("train", batches=4, batch_size=8) > 0
    assert worker.ask("predict", samples=8, calls=2) > 0
    assert worker.ask("peak_memory") > 1e6


@pytest.mark.usefixtures("needs_numba")
def test_a_worker_s_error_has_its_reason_and_the_worker_goes_on(worker):
    with pytest.raises(WorkerError, match=r"minicnn, asked to data: FileNotFoundError: .*none\.npz.*minicnn\.log"):
        worker.ask("data", path="none.npz")
    assert "numpy" in worker.ask("versions")


def test_a_worker_that_ended_is_an_error(tmp_path):
    with (
        Worker("minicnn", Path(shutil.which("true") or "true"), 1, tmp_path) as dead,
        pytest.raises(WorkerError, match="minicnn's process ended"),
    ):
        dead.ask("versions")


def test_finding_the_rivals_imports_none_of_them():
    script = "import sys; from benchmarks.rivals import variants; variants(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not {"minicnn", "torch", "keras", "tensorflow", "jax", "dezero"} & set(loaded.split())


def test_every_rival_says_what_to_install():
    for name, variant in variants().items():
        assert (variant.environment == "minicnn") == (name == "minicnn")
        own = [pin for pin in variant.requirements if "==" in pin]
        assert own or name == "minicnn", f"{name} has no pinned requirement"
        assert set(variant.requirements) <= set(environments.requirements_of(variant.environment))


# the time to an accuracy


class FakeBench:
    """A bench without workers; `said` is all that it prints."""

    may_fail, record = bench.Bench.may_fail, bench.Bench.record

    def __init__(self, labels, scratch=None):
        self.scratch, self.said = scratch, []
        self.results = Results({}, {}, labels)
        self.say = self.note = self.said.append


@pytest.mark.usefixtures("needs_numba")
def test_training_to_an_accuracy(worker, tiny, tmp_path):
    """Two rivals of the same library and seed, so the same curve; a third one fails in its second epoch."""
    network, weights, _ = tiny
    with np.load(weights) as arrays:
        values = list(arrays.values())
    schedule = CosineDecay(0.001, 20, warmup_target=0.01, warmup_steps=4)
    recipe = Recipe(
        network=networks.without_dropout(network),
        weights=values,
        optimizer=AdamW(schedule, weight_decay=0.01).describe(),
        label_smoothing=0.1,
        batch_size=16,
        epochs=3,
        augmentation=Sequential([Input((8, 3)), Dropout(0.2)]),
    )
    x, y = networks.samples_for(network, 64)

    class Failing:
        epochs = 0

        def ask(self, call, **arguments):
            self.epochs += call == "epoch"
            if self.epochs == 2:
                raise WorkerError("out of memory")
            return worker.ask(call, **arguments)

    fake = FakeBench({"minicnn": "minicnn"}, tmp_path)
    curves = accuracy.train_in_turns(fake, recipe, (x, y), (x[:32], y[:32]), {"minicnn": worker, "failing": Failing()})
    assert list(curves) == ["minicnn"]
    assert len(curves["minicnn"]) == 3
    seconds, accuracies = zip(*curves["minicnn"], strict=True)
    assert 0 < seconds[0] < seconds[1] < seconds[2]
    assert all(0 <= accuracy <= 1 for accuracy in accuracies)
    assert "Left out of Model 7: out of memory" in fake.said


def test_the_targets_are_recorded_and_missed_ones_told():
    fake = FakeBench({"minicnn": "minicnn", "torch": "PyTorch"})
    ours, theirs = [(10.0, 0.91), (20.0, 0.935), (30.0, 0.941)], [(20.0, 0.89), (40.0, 0.93), (60.0, 0.939)]
    accuracy.record(fake, {"minicnn": [ours, ours], "torch": [theirs, ours]})
    times = {m.case: m.rounds for m in fake.results.of("time to accuracy") if m.rival == "minicnn"}
    assert times == {"Model 7, 0.90": [10, 10], "Model 7, 0.92": [20, 20], "Model 7, 0.94": [30, 30]}
    assert fake.results.rounds("time to accuracy", "Model 7, 0.92")["torch"] == [40, 20]
    assert "PyTorch reaches 0.94 with 1 of 2 seeds." in fake.said
    assert any("PyTorch: test accuracy 0.9400 (0.9390, 0.9410) after 3 epochs in 60, 30 s" in s for s in fake.said)


def test_every_epoch_of_a_recipe_has_its_own_images_and_targets_of_sum_1():
    recipe = model7(seed=3, images=10)
    assert not any(layer["class"].startswith("Random") for layer in recipe.network["layers"])
    x, y = networks.samples_for(recipe.network, 10)
    epochs = list(recipe.data(x, y))
    assert len(epochs) == recipe.epochs
    (first, targets), (second, _) = epochs[:2]
    assert first.shape == second.shape == x.shape
    assert not np.array_equal(first, second)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
    assert (targets.argmax(axis=1) == y.argmax(axis=1)).all()
    for mine, again in zip(model7(seed=3, images=10).data(x, y), epochs, strict=True):
        np.testing.assert_array_equal(mine[0], again[0])


# the ablation of the recipe


@pytest.mark.parametrize("variant", ablation.VARIANTS)
def test_every_variant_of_the_recipe_trains(variant):
    x, y = networks.samples_for(networks.network_named("model5"), 40)
    run = ablation.train(variant, seed=0, epochs=2, x=x, y=y, held_out=10)
    assert (run["variant"], run["seed"], run["epochs"]) == (variant, 0, 2)
    assert 0 <= run["accuracy"] <= 1


def test_a_variant_is_compared_with_the_whole_recipe_of_the_same_seed():
    rows = [("whole recipe", 0, 0.94), ("whole recipe", 1, 0.92), ("without flips", 1, 0.91)]
    runs = [{"variant": v, "seed": s, "epochs": 2, "accuracy": a, "mirrored": a + 0.01} for v, s, a in rows]
    assert "| without flips | 1 | 0.9100 | 0.0000 | -0.0100 | 0.9200 |" in ablation.table(runs)


# the command line


def test_interpreters_can_be_given_by_rival_by_environment_and_for_all(tmp_path):
    for name in ("all", "torch", "one"):
        (tmp_path / name).touch()
    texts = [f"{tmp_path}/all", f"torch={tmp_path}/torch", f"keras-torch={tmp_path}/one"]
    pythons = environments.Pythons.parse(texts)
    found = {rival: pythons.of(rival).name for rival in ("keras-jax", "torch-compile", "keras-torch")}
    assert found == {"keras-jax": "all", "torch-compile": "torch", "keras-torch": "one"}
    assert pythons.of("minicnn") == Path(sys.executable)
    assert environments.Pythons().of("dezero").is_relative_to(environments.FOLDER)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "speed"], "speed: expected some of training, inference"),
        (["--models", "model9"], "model9: expected some of baseline"),
        (["--rivals", "caffe"], "caffe: expected some of minicnn"),
        (["--python", "caffe=python"], "expected one of .* before the '='"),
        (["--python", "torch=no/such/python"], "no/such/python is not a file"),
        (["--threads", "0"], "expected 1 to"),
        (["--rounds", "0"], "expected at least 1"),
    ],
)
def test_a_bad_argument_is_an_error_in_a_sentence(arguments, message, capsys):
    with pytest.raises(SystemExit):
        command.parse(arguments)
    assert re.search(message, capsys.readouterr().err)


def test_a_folder_that_cannot_be_written_is_a_sentence(capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["--quick", "--out", __file__])
    assert ended.value.code == 2
    assert "expected a folder that can be written" in capsys.readouterr().err


def test_quick_is_a_subset_and_minicnn_always_takes_part():
    quick, full = command.parse(["--quick"]), command.parse([])
    for name in ("only", "models", "rivals"):
        assert set(getattr(quick, name)) < set(getattr(full, name))
    assert command.parse(["--quick", "--rivals", "torch"]).rivals == ["minicnn", "torch"]
    assert command.parse(["--quick", "--models", "model4"]).models == ["model4"]


def test_a_missing_rival_is_reported_in_a_sentence(tmp_path):
    assert environments.why_missing("torch", tmp_path / "python").startswith("torch is left out: there is no .venvs/")
    assert environments.why_missing("dezero", Path(sys.executable)).endswith("has no module dezero.")
    assert environments.why_missing("minicnn", Path(sys.executable)) == ""


@pytest.mark.usefixtures("needs_numba")
def test_a_run_writes_its_measurements_and_its_report(tmp_path):
    pytest.importorskip("psutil")
    command.main(
        ["--quick", "--rivals", "minicnn", "--models", "baseline", "--only", "training,profile", "--rounds", "2"]
        + ["--threads", "1", "--out", str(tmp_path)]
    )
    found = Results.read(tmp_path / "results.json")
    (m,) = found.measurements
    assert (m.measure, m.case, m.rival, len(m.rounds)) == (
        "training",
        "Baseline",
        "minicnn",
        2,
    )
    assert set(found.profiles) == {"baseline"}
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    for link in ("training.png", "roofline.png", "layers.png"):
        assert f"]({link})" in text
        assert (tmp_path / link).is_file()
    assert platform.node() not in (tmp_path / "results.json").read_text(encoding="utf-8")


# results and their page


def test_results_come_back_from_their_file(results, tmp_path):
    results.write(tmp_path / "new" / "results.json")
    assert Results.read(tmp_path / "new" / "results.json") == results
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["results.json"]


def test_the_table_has_medians_and_the_ratio_to_the_fastest_keras(results):
    header, _, row = report.table(results).splitlines()
    assert header == "|  | minicnn | Keras, JAX | Keras, PyTorch | fastest Keras ÷ minicnn |"
    assert row == "| training: Model 5 (ms) | 2.00 | 5.00 | 8.00 | 2.00 (2.00–2.25) |"
    assert "| Model 5 by threads: " in report.table(results, series=True)


def test_the_roofline_counts_flops_against_peak_and_roof(results):
    # 50 MFLOP in 1 ms: 50 GFLOP/s; 50 FLOP a byte, so the roof is the peak of 100 GFLOP/s.
    assert "| Model 5 | conv2d forward | 1.00 | 50.0 | 50% | 50% |" in report.roofline_table(results)
    results.peak["bandwidth"] = 1e9  # now memory allows 50 GFLOP/s
    assert "| Model 5 | conv2d forward | 1.00 | 50.0 | 50% | 100% |" in report.roofline_table(results)


def test_the_page_is_filled_only_between_its_markers(results, tmp_path):
    pytest.importorskip("matplotlib")
    page = tmp_path / "page.md"
    begin, end = report.markers("results")
    page.write_text(f"# Method\n\n{begin}\nold\n{end}\n\nThe end.\n", encoding="utf-8")
    report.fill(results, page)
    once = page.read_text(encoding="utf-8")
    report.fill(results, page)
    assert page.read_text(encoding="utf-8") == once
    assert once.startswith("# Method\n")
    assert once.endswith("\n\nThe end.\n")
    assert "old" not in once
    for words in ("2020-02-02", "a CPU", "L2 1M", "The machine was busy.", "keras 3.0", "2.0e-06", "vary"):
        assert words in once
    for name in ("training", "scaling", "roofline", "layers"):
        assert f"({report.FIGURES}/{name}.png)" in once
        assert (tmp_path / report.FIGURES / f"{name}.png").is_file()


def test_a_page_without_markers_for_results_is_an_error(results, tmp_path):
    (tmp_path / "page.md").write_text("# Nothing\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has no markers for results"):
        report.fill(results, tmp_path / "page.md")


@pytest.mark.parametrize(("page", "section"), [(report.PAGE, "results"), (ladder.PAGE, "ladder")])
def test_the_documentation_s_pages_have_markers(page, section):
    begin, end = map(page.read_text(encoding="utf-8").index, report.markers(section))
    assert begin < end


@pytest.mark.parametrize(("load", "busy"), [(0.1, False), (1.5, True)])
def test_a_busy_machine_is_reported(load, busy):
    assert bool(machine.busy_note(load, cpus=2)) is busy


# the profile


def test_a_layer_s_work_by_hand():
    model = Sequential([Input((5, 6, 3)), Conv2D(4, (2, 3)), Flatten(), Dense(7)])
    conv, flatten, dense = (layer_times.work(layer, 2, need_dx=layer is not model.layers[0]) for layer in model.layers)
    # 2 images, 4 × 4 positions, 4 filters of 2 × 3 × 3 weights; without an input gradient the backward costs the same
    assert conv["forward_flops"] == conv["backward_flops"] == 2 * 2 * (4 * 4) * 4 * (2 * 3 * 3)
    assert conv["forward_bytes"] == 4 * (2 * 5 * 6 * 3 + 2 * 3 * 3 * 4 + 2 * 4 * 4 * 4)
    assert flatten["forward_flops"] == 0
    assert dense["forward_flops"] == 2 * 2 * 64 * 7
    assert dense["backward_flops"] == 2 * dense["forward_flops"]


def test_a_profile_has_layers_that_are_one_operation_in_one_row():
    layers = [Input((6, 5, 3)), BatchNormalization(), ReLU(), Flatten(), Dense(10, activation="softmax")]
    model = Sequential(layers)
    model.compile("adam", "categorical_crossentropy")
    x, y = networks.samples_for(networks.network_of(model), 48)
    found = layer_times.profile(model, x, y, 8)
    assert [layer["class"] for layer in found["layers"]] == ["BatchNormalization", "Flatten", "Dense"]


def test_a_profile_names_every_layer_and_leaves_no_trace(tiny):
    network, _, _ = tiny
    model = networks.model_of(network)
    model.compile("adam", "categorical_crossentropy")
    x, y = networks.samples_for(network, 48)
    found = layer_times.profile(model, x, y, 8)
    assert [layer["name"] for layer in found["layers"]] == [layer.name for layer in model.layers]
    parts = sum(layer["forward"] + layer["backward"] for layer in found["layers"]) + found["optimizer"] + found["rest"]
    assert parts >= found["step"] > 0
    assert not any("call" in vars(layer) or "call_backward" in vars(layer) for layer in model.layers)
    assert "train_step" not in vars(model)


def test_the_ladder_finds_all_that_it_changes():
    """A row whose name is gone would compare the backend with itself."""
    pytest.importorskip("numba")
    code = """
from benchmarks import plain_code
for row in plain_code.ROWS:
    plain_code.put_in_place(row.without)
try:
    plain_code._change("gone", 0)
except LookupError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "no gone to change" in done.stdout
