"""The exercises: every stub fails with a useful sentence, every solution passes, nothing of a learner's code harms."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minicnn
from minicnn.exercises import COURSE
from minicnn.exercises.command_line import main
from minicnn.exercises.course import find_the_bug
from minicnn.exercises.folder import Folder, file_name, find, number
from minicnn.exercises.runner import outcome as outcome_of
from minicnn.exercises.runner import run
from minicnn.exercises.worker import check

SEED = 3
by_name = pytest.mark.parametrize("exercise", COURSE, ids=lambda exercise: exercise.name)


def exercise_named(name):
    return next(exercise for exercise in COURSE if exercise.name == name)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A started folder, which is the current one."""
    folder = Folder.start(tmp_path / "exercises", SEED)
    monkeypatch.chdir(folder.path)
    return folder


def answer(folder, exercise, *changes):
    """Write the solution into the learner's file, with lines changed."""
    text = exercise.solution.read_text("utf-8")
    if any("np." in new for _, new in changes) and "import numpy" not in text:
        text = text.replace('"""\n', '"""\n\nimport numpy as np\n', 1)
    for old, new in changes:
        assert old in text, f"{old!r} is not in the solution of {exercise.name}"
        text = text.replace(old, new)
    folder.file(exercise).write_text(text, "utf-8")


def graded(exercise, file, hints=0):
    """The outcome of a check in this process: faster than `run`, for code that ends."""
    found = []
    with minicnn.use_backend("numpy"):
        check(exercise, file, hints, lambda **facts: found.append(facts))
    return outcome_of(exercise, found)


def part(outcome, name):
    return next(part for part in outcome.parts if part.name == name)


@pytest.fixture(autouse=True)
def _numba_where_it_is_needed(request):
    exercise = request.node.funcargs.get("exercise")
    if exercise is not None and exercise.name == "fast":
        request.getfixturevalue("needs_numba")


@by_name
def test_an_untouched_stub_says_what_is_missing(folder, exercise):
    outcome = graded(exercise, folder.file(exercise))
    assert not outcome.passed
    assert outcome.points == 0
    assert not outcome.message
    assert re.search(r"not written yet|not compiled yet|dx, dkernel, dbias wrong|d\w+ wrong; ", outcome.parts[0].text)
    assert not outcome.printed


@by_name
def test_the_solution_passes(folder, exercise):
    answer(folder, exercise)
    outcome = graded(exercise, folder.file(exercise))
    assert outcome.passed, outcome.to_dict()
    assert outcome.points == len(exercise.parts)


@by_name
def test_an_exercise_is_complete(exercise):
    assert len(exercise.hints) >= 3
    assert all(len(hint) > 60 for hint in exercise.hints)
    assert exercise.parts
    assert exercise.praise
    stub = exercise.stub_text(SEED)
    assert stub.startswith(f'"""Exercise {number(exercise)}: ')
    assert f"check {exercise.name}\n" in stub
    solution = exercise.solution.read_text("utf-8")
    assert all(word in solution for word in re.findall(r"^(?:def|class) \w+", stub, re.MULTILINE))


# what learners get wrong: the part that is wrong, and a word of the sentence about it

DENSE_BACKWARD = "    x, kernel = saved\n"

WRONG = [
    ("dense", "x.T @ dy", "dy.T @ x", "dkernel", "It is transposed"),
    ("dense", "dy.sum(axis=0)", "dy.mean(axis=0)", "dbias", "the mean over the batch is taken once too often"),
    ("dense", "dx = dy @ kernel.T", "dx = None", "dx", "not written yet"),
    ("dense", DENSE_BACKWARD, DENSE_BACKWARD + "    dy *= 2\n", "dx", ""),
    ("relu", "dx = dy * saved", "dx = dy", "dx", "the derivative is forgotten"),
    ("relu", "saved = x > 0", "saved = x > 1", "dx", "compares x with 1.0"),
    ("relu", "np.maximum(x, 0)", "np.abs(x)", "y", "entry [0, 0] is 2, but 0 is expected"),
    ("softmax", "z - z.max(axis=1, keepdims=True)", "z", "p", "subtract the row's largest logit"),
    ("softmax", "z.max(axis=1, keepdims=True)", "z.max()", "p", ""),
    ("softmax", ".mean()", ".sum()", "loss", "the mean over the samples"),
    ("softmax", "return dz / len(p)", "return dz", "dz", ""),
    ("softmax", "[np.arange(len(p)), labels] -= 1", "[np.arange(len(p)), labels] += 1", "dz", ""),
    ("convolution", "columns, :] += d", "columns, :] = d", "dx", "= where += belongs"),
    ("convolution", "dkernel[:, :, :, f] +=", "dkernel[:, :, :, f] =", "dkernel", ""),
    ("convolution", ") + bias[f]", ")", "y", "entry [0, 0, 0, 0]"),
    ("im2col", "i : i + stride * OH : stride", "i : i + OH", "columns", "With KH = 3, KW = 2, stride 2"),
    ("im2col", "(rows.T @ dz)", "(dz.T @ rows)", "dkernel", ""),
    ("im2col", "+ bias", "", "y", "With stride 1"),
    ("col2im", "] += d", "] = d", "col2im", "= for +="),
    ("col2im", "dx = col2im(drows.reshape(N, OH, OW, KH, KW, C), shape, stride)", "dx = None", "dx", "not written yet"),
    ("max_pooling", ", :] += window", ", :] = window", "dx", "= where += belongs"),
    ("max_pooling", "argmax", "argmin", "dx", ""),
    ("max_pooling", "pixels.max(axis=1)", "np.maximum(0, pixels.max(axis=1))", "y", "with negative entries"),
    ("batch_norm", "g - g.mean(axis=0) -", "g -", "dx", "The path through the mean is missing"),
    ("batch_norm", "x.var(axis=0)", "x.var(axis=0, ddof=1)", "y", "not N − 1"),
    ("batch_norm", "g = dy * gamma", "g = dy", "dx", "The factor gamma is missing"),
    ("dropout", "rng.random(x.shape) >= rate", "rng.random(x.shape) < rate", "y in training", "the wrong way round"),
    ("dropout", ") / (1 - rate)", ") * 1.0", "y in training", "1 / (1 − rate) = 1.429 is expected"),
    ("dropout", "    if training:", "    if True:", "y in inference", "nothing is dropped"),
    (
        "dropout",
        "rng.random(x",
        "np.random.default_rng(0).random(x",
        "y in training",
        "the second batch has the same mask",
    ),
    ("dropout", "rng.random(x.shape)", "rng.random(x.shape[1])", "y in training", "have the same mask"),
    ("relu", "dx = dy * saved", "dx = saved", "dx", "dy"),
    ("dropout", "dx = dy * saved", "dx = dy * (saved > 0)", "dx", ""),
    ("optimizers", "w - config", "w + config", "sgd", "The weights move up the gradient"),
    ("optimizers", 'np.sqrt(v) + config["epsilon"]', 'np.sqrt(v + config["epsilon"])', "adam", "inside the root"),
    ("optimizers", '    w = w + config["v"]\n', "    w = None\n", "momentum", "not written yet"),
    ("optimizers", '    config["t"] += 1\n', "", "adam", "1 − beta⁰ is 0"),
    ("training_loop", ", training=True", "", "a step", "has to get training=True"),
    (
        "training_loop",
        "            optimizer.step(model.parameters())\n",
        "",
        "a step",
        "optimizer.step is never called",
    ),
    (
        "training_loop",
        "len(x), batch_size):",
        "len(x) - batch_size, batch_size):",
        "batches",
        "smaller batch is missing",
    ),
    ("training_loop", "labels[batch]", "labels[start : start + batch_size]", "batches", "gets the label of sample"),
    ("training_loop", "rng.permutation(len(x))", "np.arange(len(x))", "shuffling", "not shuffled"),
    ("training_loop", "rng.permutation(len(x))", "rng.integers(0, len(x), len(x))", "batches", "times in an epoch"),
    ("training_loop", ") * len(batch)", ") * batch_size", "losses", "counts as many times as it has samples"),
    ("training_loop", "        losses.append(total / len(x))\n", "", "losses", "it has the shape (0,)"),
    ("conv1d", "dy @ kernel[i].T", "dy @ kernel[-1 - i].T", "dx", ""),
    ("conv1d", "dm[:, None, :] / OL", "dm[:, None, :]", "network: dx", ""),
    ("conv1d", "conv1d_backward(dz, saved1)", "conv1d_backward(da, saved1)", "network: dkernel1", ""),
    ("own_layer", "self.beta.grad = (dy", "self.beta.grad = (1.1 * dy", "gradients", "beta.grad"),
    ("own_layer", "        self.saved = x, s\n", "", "forward", "does not set self.saved"),
    ("own_layer", "        return x * s\n", "", "forward", "not written yet"),
    ("own_layer", "-self.beta.value * x", "-x", "weights", "does not depend on"),
]


@pytest.mark.parametrize(("name", "old", "new", "where", "sentence"), WRONG, ids=lambda value: str(value)[:30])
def test_a_wrong_answer_gets_its_sentence(folder, name, old, new, where, sentence):
    exercise = exercise_named(name)
    answer(folder, exercise, (old, new))
    outcome = graded(exercise, folder.file(exercise))
    assert not outcome.passed
    assert not part(outcome, where).ok
    assert sentence in part(outcome, where).text


BUGS = [(name, bug) for name, program in find_the_bug.PROGRAMS.items() for bug in program.bugs]


@pytest.mark.parametrize(("name", "bug"), BUGS)
def test_the_doctor_names_each_bug_that_may_be_drawn(folder, name, bug):
    exercise = exercise_named("find_the_bug")
    folder.file(exercise).write_text(find_the_bug.with_bugs({name: bug}), "utf-8")
    for hints in (0, find_the_bug.NAMING):
        outcome = graded(exercise, folder.file(exercise), hints)
        assert [part.name for part in outcome.parts if not part.ok] == [name]
        assert (bug in part(outcome, name).causes) == bool(hints)


def test_bugs_are_drawn_with_a_seed():
    draws = [find_the_bug.drawn(seed) for seed in range(8)]
    assert draws[0] == find_the_bug.drawn(0)
    assert all(set(draw) == set(find_the_bug.PROGRAMS) for draw in draws)
    assert len({tuple(draw.values()) for draw in draws}) > 4


BROKEN = [
    (
        DENSE_BACKWARD,
        DENSE_BACKWARD + "    while True:\n        pass\n",
        1,
        r"within 1 seconds.* line 1[34] of 01_dense.py, `(while True:|pass)`",
    ),
    (DENSE_BACKWARD, DENSE_BACKWARD + "    exit()\n", 60, r"Line 13 .*`exit\(\)`, ends the program"),
    (DENSE_BACKWARD, DENSE_BACKWARD + "    import os; os.abort()\n", 60, r"crashed \(signal 6, SIGABRT\)"),
    (DENSE_BACKWARD, DENSE_BACKWARD + "    import os; os._exit(7)\n", 60, r"ended itself, with exit code 7"),
    ("dy @ kernel.T", "dy @ kernel", 0, r"Line 13 .*raises ValueError.*dy has the shape \(5, 4\)"),
    ("dy @ kernel.T", "dy @ kernl.T", 0, r"NameError: name 'kernl' is not defined"),
    ("dy @ kernel.T", "dy @ (kernel.T", 0, r"Python cannot read line 13 .*'\(' was never closed"),
    (
        '"""\n\n\ndef dense(',
        '"""\n\nimport torches\n\ndef dense(',
        0,
        r"`import torches`, finds no module .torches.*pip install",
    ),
    ("    return dx, dkernel, dbias\n", "", 0, r"returns nothing. Its last line has to be `return dx, dkernel, dbias`"),
    ("return dx, dkernel, dbias", "return dx, dkernel", 0, r"returns 2 things"),
    ("return y, (x, kernel)", "return y", 0, r"dense returns one ndarray"),
    ("dense_backward(dy, saved)", "dense_backward(saved)", 0, r"has to be called as dense_backward\(dy, saved\)"),
    ("dense_backward(dy, saved)", "backward(dy, saved)", 0, r"has no 'dense_backward'"),
    ("y = x @ kernel + bias", "y = x @ kernel", 0, r"dense is given, but it computes something else"),
]


@pytest.mark.parametrize(("old", "new", "limit", "sentence"), BROKEN, ids=lambda v: str(v)[:30])
def test_code_that_breaks_the_check_ends_in_a_sentence(folder, old, new, limit, sentence):
    exercise = exercise_named("dense")
    answer(folder, exercise, (old, new))
    outcome = run(exercise, folder.file(exercise), limit) if limit else graded(exercise, folder.file(exercise))
    assert not outcome.passed
    assert re.search(sentence, outcome.message), outcome.message
    assert "Traceback" not in outcome.message


def test_what_the_code_prints_is_shown_in_part(folder):
    exercise = exercise_named("dense")
    answer(folder, exercise, (DENSE_BACKWARD, DENSE_BACKWARD + "    print('dy', dy.shape)\n"))
    outcome = run(exercise, folder.file(exercise))
    assert outcome.passed
    assert outcome.printed == ("dy (5, 4)",) * 5
    assert outcome.lines_printed > 5


# the program


def said(capsys):
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_the_first_day(tmp_path, monkeypatch, capsys):
    """start, check, hint, check, progress: each says what comes next."""
    monkeypatch.chdir(tmp_path)
    assert main(["start", "mine"]) == 0
    assert "mine/01_dense.py" in said(capsys).replace("\\", "/")
    monkeypatch.chdir(tmp_path / "mine")
    assert "01_dense.py" in (tmp_path / "mine/README.md").read_text("utf-8")
    assert main(["check"]) == 1
    assert "hint dense" in said(capsys)
    for i, hint in enumerate(COURSE[0].hints, start=1):
        assert main(["hint", "dense"]) == 0
        words = " ".join(said(capsys).split())
        assert words == f"Hint {i} of {len(COURSE[0].hints)}: {hint}"
    assert main(["hint", "dense"]) == 0
    assert str(COURSE[0].solution) in said(capsys)
    answer(Folder(tmp_path / "mine"), COURSE[0])
    assert main(["check", "01_dense.py"]) == 0
    words = said(capsys)
    assert "dense: right" in words
    assert "Next: exercise 2, relu, in 02_relu.py" in words
    assert main(["progress"]) == 0
    assert f"1 of {len(COURSE)} exercises are done. Next: relu" in said(capsys)


def test_running_a_file_checks_it(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # not the file's folder
    environment = {**os.environ, "PYTHONPATH": str(Path(minicnn.__file__).parents[1])}
    command = [sys.executable, str(folder.file(COURSE[0]))]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert "Exercise 1, dense: not yet." in result.stdout
    assert result.stderr == ""
    assert folder.of(COURSE[0])["checks"] == 1


def test_without_a_command_it_says_where_to_begin(capsys):
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    words = capsys.readouterr().err
    assert "show the next hint of an exercise" in words
    assert "error: no command. Begin with: python -m minicnn.exercises start my-exercises" in words


def test_a_pipe_whose_reader_has_ended_is_no_error(tmp_path):
    """As in `python -m minicnn.exercises list | head -3`."""
    command = [sys.executable, "-m", "minicnn.exercises", "list"]
    environment = {**os.environ, "PYTHONPATH": str(Path(minicnn.__file__).parents[1])}
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=300
    )
    os.close(writing)
    assert result.stderr == ""
    assert result.returncode == 141


def test_start_never_overwrites(folder, capsys):
    folder.file(COURSE[0]).write_text("mine", "utf-8")
    assert main(["start", str(folder.path)]) == 2
    assert "Nothing was changed" in capsys.readouterr().err
    assert folder.file(COURSE[0]).read_text("utf-8") == "mine"


def test_json_is_valid_everywhere(folder, tmp_path, capsys):
    answer(folder, COURSE[0])
    for command, code in {"start new": 0, "list": 0, "check 1": 0, "check relu": 1, "hint": 0, "progress": 0}.items():
        assert main([*command.split(), "--json"]) == code
        facts = json.loads(said(capsys))
        assert facts["schema"] == 1
        if command.startswith("check"):
            assert facts["passed"] is (code == 0)
            assert facts["points"] <= facts["of"] == len(facts["exercises"][0]["parts"])
            assert {"name", "ok", "text", "causes"} == set(facts["exercises"][0]["parts"][0])
    assert main(["check", "nothing", "--json"]) == 2
    assert "nothing" in json.loads(said(capsys))["error"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check", "dens"], "Did you mean 'dense'?"),
        (["check", "--folder", "nowhere"], "start my-exercises"),
        (["hint", "99"], "Known: "),
        (["start", "01_dense.py"], "01_dense.py"),
        (["check", "--time-limit", "0"], "--time-limit"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_is_a_sentence_and_exit_code_2(folder, capsys, arguments, sentence):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert captured.out == ""


def test_a_damaged_progress_file_is_explained(folder, capsys):
    (folder.path / "progress.json").write_text("{", "utf-8")
    assert main(["progress"]) == 2
    assert "Delete it to begin counting anew" in capsys.readouterr().err
    (folder.path / "progress.json").unlink()
    assert main(["progress"]) == 0


def test_the_progress_keeps_the_best(folder):
    exercise = COURSE[0]
    for changes in ((), (("dy.sum(axis=0)", "None"),)):
        answer(folder, exercise, *changes)
        folder.record(exercise, graded(exercise, folder.file(exercise)))
    assert folder.of(exercise) == {"passed": True, "checks": 2, "hints": 0, "points": len(exercise.parts)}


def test_an_exercise_is_found_by_name_number_and_file():
    for exercise in COURSE:
        for word in (exercise.name, exercise.name.replace("_", "-"), str(number(exercise)), file_name(exercise)):
            assert find(word) is exercise


def test_a_missing_file_is_explained(folder):
    folder.file(COURSE[0]).unlink()
    assert "start" in run(COURSE[0], folder.file(COURSE[0])).message


def test_the_page_lists_all_exercises():
    page = (Path(__file__).parents[1] / "docs/exercises.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (.*?) \|", page, re.MULTILINE)
    assert rows == [(str(number(exercise)), exercise.name, exercise.title) for exercise in COURSE]
