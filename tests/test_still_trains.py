"""The lab with wrong networks: the doctor names every planted mistake, a run is resumed, its table is right."""

from __future__ import annotations

import json

import pytest

from examples.still_trains import page
from examples.still_trains.__main__ import main, verdict
from examples.still_trains.bugs import BUGS
from minicnn.datasets.checksums import SAMPLE_DIRECTORY


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.key)
def test_the_doctor_names_the_mistake(bug):
    assert bug.name in verdict(bug).causes


@pytest.mark.filterwarnings("ignore::minicnn.datasets.SampleDataWarning")
def test_a_run_continues_and_refuses_another_setup(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MINICNN_DATA", str(SAMPLE_DIRECTORY))
    arguments = ["--limit", "64", "--epochs", "1", "--out", str(tmp_path / "runs/results.json")]
    main([*arguments, "--only", "pooling.argmin"])
    main([*arguments, "--only", "sigmoid"])
    results = json.loads((tmp_path / "runs/results.json").read_text("utf-8"))
    assert [bug["name"] for bug in results["bugs"].values()] == ["pooling.argmin", "losses.sigmoid-for-softmax"]
    assert capsys.readouterr().out.count("pooling.argmin in x: ") == 1  # not trained again
    with pytest.raises(SystemExit):
        main([*arguments, "--limit", "128"])
    assert "is of a run with" in capsys.readouterr().err


def test_the_table_marks_what_cannot_be_told_from_a_right_network():
    bug = {"place": "pooling", "role": "x", "name": "pooling.argmin", "sentence": "S.", "noticed": True}
    results = {
        "setup": {"data": "the sample", "images": 10, "epochs": 1, "batch": 5},
        "right": {"adam": [0.8, 0.82], "momentum": [0.7, 0.9]},
        "bugs": {"one": bug | {"causes": ["pooling.argmin"], "accuracy": {"adam": 0.8, "momentum": 0.69}}},
    }
    assert page.table(results).splitlines()[2] == "| pooling, dx | S. | **80.0** | 69.0 | `pooling.argmin` |"
    assert "Of 1 networks with a mistake, 1 are" in page.summary(results)
    assert "names the mistake of 1." in page.summary(results)
