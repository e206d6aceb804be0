"""The live pages' Python side; the pages themselves are tested in a browser, in tests/browser/live."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from types import ModuleType, SimpleNamespace
from zipfile import ZipFile

import numpy as np
import pytest

import minicnn
from minicnn.backends import textbook
from minicnn.classroom.messages import Page
from minicnn.classroom.textbook import CHECKS
from minicnn.exercises import COURSE

ROOT = Path(__file__).resolve().parents[1]
FOLDER = "minicnn/backends/textbook"
CONV = f"{FOLDER}/conv.py"


def source(file):
    return (Path(minicnn.__file__).parents[1] / file).read_text("utf-8")


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINICNN_DATA", "")
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    with minicnn.use_backend("numpy"):
        yield Page(str(tmp_path / "page"))


@pytest.fixture
def ask(page):
    """ask(kind, **arguments): the page's answer."""
    return lambda kind, **arguments: json.loads(page.answer(json.dumps({"kind": kind, **arguments})))


@pytest.fixture
def changed(ask):
    """changed(old, new): what the doctor answers about the convolution with this change. Afterwards it is undone."""
    code = source(CONV)
    yield lambda old="", new="": ask("check", name=CONV, code=code.replace(old, new) if old else code)
    ask("replace", name=CONV, code=code)


def test_cells_share_variables_and_show_the_last_value(ask, capsys):
    assert ask("run", name="cell 1", code="x = 20\nx + 1")["ok"]
    assert ask("run", name="cell 2", code="1\nx * 2.5")["ok"]
    assert ask("run", name="cell 3", code="None")["ok"]
    assert capsys.readouterr().out == "21\n50.0\n"


def test_an_error_shows_the_lines_of_cells_only(ask, capsys):
    ask("run", name="cell 1", code="import minicnn\ndef build(shape):\n    return minicnn.Input(shape)")
    assert not ask("run", name="cell 2", code="print('before')\nbuild('wrong')")["ok"]
    printed = capsys.readouterr()
    assert printed.out == "before\n"
    lines = re.findall(r'File "(.*)", line (\d+)', printed.err)
    assert lines == [("cell 2", "2"), ("cell 1", "3")]
    assert "return minicnn.Input(shape)" in printed.err


@pytest.mark.parametrize("code", ["def f(:", "raise SystemExit", "raise KeyboardInterrupt", "1 / 0"])
def test_nothing_that_a_cell_raises_ends_the_session(ask, code):
    assert not ask("run", name="cell 1", code=code)["ok"]
    assert ask("run", name="cell 2", code="1")["ok"]


def test_pages_and_pictures_that_a_cell_writes_are_shown_once(ask):
    code = "from pathlib import Path\nPath('page.html').write_text('<p>')\nPath('notes.txt').write_text('')"
    (picture,) = ask("run", name="cell 1", code=code)["pictures"]
    assert (picture["name"], picture["type"], b64decode(picture["content"])) == ("page.html", "text/html", b"<p>")
    assert ask("run", name="cell 2", code="1")["pictures"] == []


def test_there_is_a_check_for_every_textbook_file_that_a_page_shows():
    shown = {
        name
        for path in ROOT.glob("docs/**/*.md")
        for name in re.findall(f'{FOLDER}/(\\w+).py"', path.read_text("utf-8"))
    }
    assert shown <= CHECKS.keys()


@pytest.mark.parametrize("name", CHECKS)
def test_the_doctor_finds_nothing_in_the_textbook(ask, name):
    file = f"{FOLDER}/{name}.py"
    assert ask("check", name=file, code=source(file)) == {"replaced": True, "ok": True}


def test_the_doctor_names_the_mistake_in_a_changed_textbook(changed, capsys):
    assert changed("dz.sum(axis=0)", "dz.mean(axis=0)") == {"replaced": True, "ok": False}
    assert "a sum was differentiated as if it were a mean" in capsys.readouterr().out
    assert changed() == {"replaced": True, "ok": True}


def test_a_changed_textbook_that_raises_shows_the_line(changed, capsys):
    assert changed("drows = dz @ kernel", "drows = dx @ kernel") == {"replaced": True, "ok": False}
    assert f'File "{CONV}"' in capsys.readouterr().err
    assert changed("def conv2d(", "def conv2d") == {"replaced": False, "ok": False}


def test_everybody_uses_the_changed_textbook(ask, page):
    """The backend's operations, other modules of the textbook, and names that a cell has imported."""
    file = f"{FOLDER}/windows.py"
    code = source(file)
    ask("run", name="cell 1", code="from minicnn.backends.textbook.windows import im2col")
    x, kernel = np.ones((1, 3, 3, 1)), np.ones((2, 2, 1, 1))

    def results():
        yield textbook.conv2d(x, kernel, None, (1, 1), "valid", "linear")[0].max()
        yield page.cells.variables["im2col"](x, (2, 2), (1, 1), "valid").max()

    assert ask(
        "replace", name=file, code=f"{code}\noriginal = im2col\ndef im2col(*given): return 2 * original(*given)"
    )["ok"]
    assert list(results()) == [8, 2]
    ask("replace", name=file, code=code)
    assert list(results()) == [4, 1]


def test_a_changed_class_replaces_the_one_that_a_cell_has_imported(ask, page, monkeypatch):
    module = ModuleType("minicnn.example")
    exec("class Square: sides = 3", vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(minicnn, "Square", module.Square, raising=False)
    ask("run", name="cell 1", code="from minicnn.example import Square")
    assert ask("replace", name="minicnn/example.py", code="class Square: sides = 4")["ok"]
    assert page.cells.variables["Square"].sides == minicnn.Square.sides == 4


def test_an_exercise_is_graded(ask):
    dense = COURSE[0]
    stub = ask("exercise", name="dense", code=dense.task(seed=0), hints=0)
    assert not stub["ok"]
    assert stub["parts"][0]["text"] == "not written yet: it is None, or not returned."
    solution = "print('loaded')\n" + dense.solution.read_text("utf-8")
    answer = ask("exercise", name="dense", code=solution, hints=0)
    assert answer["ok"]
    assert answer["praise"] == dense.praise
    assert answer["printed"] == ["loaded"]
    broken = ask("exercise", name="dense", code=solution.replace("dy @ kernel.T", "dy @ kernel"), hints=0)
    assert "dx = dy @ kernel`, raises ValueError" in broken["message"]


# mkdocs's hook


@pytest.fixture
def hook():
    pytest.importorskip("mkdocs")
    spec = importlib.util.spec_from_file_location("hook", ROOT / "docs" / "classroom" / "hook.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_blocks_are_marked_and_whole_modules_can_be_changed(hook):
    page = SimpleNamespace(file=SimpleNamespace(src_uri="operations/dense.md"))
    markdown = f'''```python
x = 1
```

    ```python
    --8<-- "{CONV}"
    ```

```python
--8<-- "minicnn/network.py:passes"
```

```console
$ make
```
'''
    marked = markdown.replace("```python\nx", "```{.python .live}\nx")
    marked = marked.replace("    ```python", f'    ```{{.python .live data-file="{CONV}"}}')
    live, still = (SimpleNamespace(extra={"pyodide": place}) for place in ("official", ""))
    assert hook.on_page_markdown(markdown, page, live) == marked
    assert hook.on_page_markdown(markdown, page, still) == markdown


@pytest.mark.parametrize("exercise", COURSE, ids=lambda e: e.name)
def test_an_exercise_has_a_page(hook, exercise):
    text = hook.exercise_page(7, exercise, live=True)
    assert text.startswith(f"# 7. {exercise.title}\n")
    assert ("python -m minicnn.exercises check" in text) == (exercise.name in hook.NEEDS)
    assert text.count("??? hint") == len(exercise.hints)
    assert "YOUR TASK" in text
    assert "Then choose Check." not in hook.exercise_page(7, exercise, live=False)


def test_a_folder_with_other_files_is_refused(hook, tmp_path):
    with pytest.raises(hook.PluginError, match="pyodide.mjs of Pyodide .* is missing there"):
        list(hook.checked(tmp_path))
    (tmp_path / "pyodide.mjs").write_text("// another one")
    with pytest.raises(hook.PluginError, match="pyodide.mjs: expected is Pyodide .*, SHA-256 04c052c8.*, found"):
        list(hook.checked(tmp_path))


def test_the_page_about_the_classroom_names_the_pinned_files(hook):
    text = (ROOT / "docs" / "classroom.md").read_text("utf-8")
    assert all(name in text for name in hook.PINNED["sha256"])
    assert f"{hook.PINNED['address']}$file" in text


def test_the_package_is_complete(hook):
    names = ZipFile(BytesIO(hook.package())).namelist()
    assert {"minicnn/__init__.py", "minicnn/keras_names.json", "minicnn/exercises/course/dense/stub.py"} <= set(names)
    assert not [name for name in names if name.endswith(".pyc")]
