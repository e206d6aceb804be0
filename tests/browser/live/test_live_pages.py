"""A reader edits, runs, stops and checks code in the page, without any network."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from minicnn.exercises import COURSE

from .sites import LIVE, ROOT, build, served

DOCS = ROOT / "docs"
PAGES = sorted(
    filter(LIVE.fullmatch, (path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")))
)


def run(page, name):
    """Choose the button with this name, and wait until its cell has run: the text below it."""
    button = page.get_by_role("button", name=name, exact=True)
    button.click()
    button.and_(page.locator("[aria-disabled=false]")).wait_for()
    return button.locator("xpath=../following-sibling::div[1]").inner_text()


def editor(page, name):
    return page.get_by_label(f"Code of {name}.")


def change(page, name, old, new):
    """Edit a block: replace a part of its code."""
    page.get_by_role("button", name=f"Edit {name}", exact=True).click()
    code = editor(page, name).input_value()
    assert old in code
    editor(page, name).fill(code.replace(old, new))


def test_an_exercise_from_the_stub_to_the_solution(visit, address):
    page = visit(f"{address}exercises/dense.html")
    assert "dx not written yet" in run(page, "Check the exercise")
    code = editor(page, "the exercise").input_value()
    editor(page, "the exercise").fill(code.replace("dbias = None", "dbias = dy.mean(axis=0)"))
    assert "the mean over the batch is taken once too often" in run(page, "Check the exercise")
    editor(page, "the exercise").fill("def dense(")
    assert "Python cannot read line 1" in run(page, "Check the exercise")
    editor(page, "the exercise").fill(COURSE[0].solution.read_text("utf-8"))
    assert "These three lines are in every network" in run(page, "Check the exercise")
    page.reload()  # the reader's code is still there
    assert editor(page, "the exercise").input_value() == COURSE[0].solution.read_text("utf-8")
    page.get_by_role("button", name="Put back the original code of the exercise").click()
    assert editor(page, "the exercise").input_value() == code


def test_every_solution_is_right_in_the_browser(visit, address):
    """All in one worker, as the page would ask it."""
    page = visit(f"{address}exercises/dense.html")
    exercises = [exercise for exercise in COURSE if exercise.name != "fast"]
    questions = [
        json.dumps({"kind": "exercise", "name": e.name, "code": e.solution.read_text("utf-8"), "hints": 0})
        for e in exercises
    ]
    answers = page.evaluate(
        """async (questions) => {
            const worker = new Worker("../classroom/worker.js", { type: "module" });
            const answers = [];
            for (const question of questions) {
                worker.postMessage({ question });
                answers.push(await new Promise((resolve) => {
                    worker.onmessage = ({ data }) => data.answer && resolve(JSON.parse(data.answer));
                }));
            }
            worker.terminate();
            return answers;
        }""",
        questions,
    )
    assert {e.name: answer["message"] for e, answer in zip(exercises, answers, strict=True) if not answer["ok"]} == {}


def test_hints_that_were_read_count(visit, address):
    page = visit(f"{address}exercises/find_the_bug.html")
    assert "mask is inverted" not in run(page, "Check the exercise")
    for hint in page.locator("details.hint summary").all():
        hint.click()
    assert "mask is inverted" in run(page, "Check the exercise")


def test_the_doctor_judges_a_changed_textbook(visit, address):
    page = visit(f"{address}operations/convolution.html")
    change(page, "conv.py", "dz.sum(axis=0)", "dz.mean(axis=0)")
    assert "a sum was differentiated as if it were a mean" in run(page, "Check conv.py")
    assert "assert dbias == 3" in run(page, "Run cell 4")  # the page's own cells use the changed textbook
    page.get_by_role("button", name="Put back the original code of conv.py").click()
    assert "Run cell" not in run(page, "Run cell 4")
    assert "WRONG" not in run(page, "Check conv.py")


def test_stop_ends_an_endless_loop_and_the_next_run_works(visit, address):
    page = visit(f"{address}operations/dense.html")
    change(
        page, "cell 1", "import numpy as np", "import numpy as np\nprint('begun')\nwhile True:\n    print('again')\n"
    )
    page.get_by_role("button", name="Run cell 1").click()
    page.get_by_text("begun").wait_for()
    page.get_by_role("heading", name="What it costs").scroll_into_view_if_needed()  # the page is not frozen
    page.get_by_role("button", name="Stop cell 1").click()
    page.get_by_text("Stopped. The next run starts Python again.").wait_for()
    page.get_by_role("button", name="Put back the original code of cell 1").click()
    assert run(page, "Run cell 1") == ""


def test_an_error_shows_the_line_and_stops_the_cells_below(visit, address):
    page = visit(f"{address}operations/dense.html")
    change(page, "cell 1", "y = layer.forward(x)", "y = layer.forward(x[0])")
    below = run(page, "Run cell 3")
    assert below == "Cell 1 failed, so this cell was not run."
    error = page.get_by_role("log", name="Output of cell 1").inner_text()
    assert "y = layer.forward(x[0])" in error
    assert "ValueError" in error
    assert "/minicnn/" not in error


def test_the_explorer_opens_below_the_cell(visit, address):
    page = visit(f"{address}explorer.html")
    run(page, "Run cell 1")
    page.frame_locator("iframe").locator(".opened h2").wait_for()


def test_the_keyboard_is_enough(visit, address):
    page = visit(f"{address}operations/dense.html")
    page.get_by_role("button", name="Edit cell 1").press("Enter")
    area = editor(page, "cell 1")
    area.fill("")
    page.keyboard.type("for i in range(2):\nprint(i)")  # Enter indents after a colon
    assert area.input_value() == "for i in range(2):\n    print(i)"
    page.keyboard.press("Shift+Tab")
    assert area.input_value() == "for i in range(2):\nprint(i)"
    page.keyboard.press("Home")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+Enter")
    page.get_by_role("log", name="Output of cell 1").get_by_text(re.compile("0\\s+1")).wait_for()
    area.press("Escape")
    assert page.evaluate("document.activeElement.textContent") == "Run"


def test_pyodide_may_come_from_another_server(visit, pyodide, tmp_path):
    with served(pyodide) as elsewhere, served(tmp_path) as address:
        build(tmp_path, elsewhere)
        page = visit(f"{address}operations/dense.html", elsewhere)
        assert elsewhere.split("/")[2] in page.locator(".classroom-note").inner_text()
        assert run(page, "Run cell 1") == ""


def changed(path):
    path.write_bytes(path.read_bytes()[:-1] + b"x")


@pytest.mark.parametrize(
    ("name", "damage"), [("pyodide.mjs", Path.unlink), ("pyodide.asm.js", changed), ("numpy-*.whl", changed)]
)
def test_without_python_the_page_says_what_is_missing(browser, copy, name, damage):
    (file,) = (copy / "classroom" / "pyodide").glob(name)
    damage(file)
    with served(copy) as address:
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(f"{address}operations/dense.html")
        assert f"{file.name} cannot be loaded" in run(page, "Run cell 1")
        assert "The page can be read without it." in page.locator(".classroom-note").inner_text()
        assert page.get_by_role("heading", name="What it does").is_visible()
        page.close()


def test_without_javascript_the_page_is_a_document(visit, address):
    page = visit(f"{address}exercises/dense.html", java_script_enabled=False)
    assert "if JavaScript is on" in page.locator(".classroom-note").inner_text()
    page.get_by_text("Hint 1 of 3").click()
    assert page.get_by_text("Begin with dbias").is_visible()


@pytest.mark.parametrize("name", PAGES)
def test_all_cells_of_a_page_run(visit, address, name):
    page = visit(f"{address}{name}.html")
    last = page.get_by_role("button", name=re.compile("^(Run|Check) ")).last
    run(page, last.get_attribute("aria-label"))
    assert page.locator(".classroom-error:not(:has-text('SampleDataWarning'))").all_inner_texts() == []
    assert page.locator(".classroom-remark").all_inner_texts() == []
