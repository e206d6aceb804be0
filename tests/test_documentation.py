"""The pages' instructions work: their Python runs, their commands exist, their links lead to files."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

from minicnn.backends.availability import INSTALL
from minicnn.datasets.checksums import SAMPLE_DIRECTORY

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SHELLS = {"console", "bash", "sh", "shell"}

FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>```+) *(?P<language>[\w-]*)(?P<rest>[^`]*)$")
QUOTED_FILE = re.compile(r'^-+8<-+ "')  # the page shows a file of the package, which has its own tests
LINK = re.compile(r"\]\((?P<markdown>[^)\s]+)[^)]*\)|(?:src|href)=\"(?P<html>[^\"]+)\"")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: its language, the number of its first line, its lines without common indentation."""

    language: str
    start: int
    lines: list[str]


def blocks_of(text: str) -> Iterator[Block]:
    opened, language, start, lines = None, "", 0, []
    for number, line in enumerate(text.splitlines(), start=1):
        fence = FENCE.match(line)
        if opened is None and fence:
            opened, language, start, lines = fence, fence["language"], number + 1, []
        elif opened and fence and fence["ticks"].startswith(opened["ticks"]) and not fence["language"]:
            yield Block(language, start, lines)
            opened = None
        elif opened:
            lines.append(line.removeprefix(opened["indent"]))
    assert opened is None, f"the block that starts in line {start} is never closed"


def python_of(text: str) -> str:
    """The page's Python blocks as one script; lines keep their numbers, so that tracebacks point to the page."""
    script = [""] * len(text.splitlines())
    for block in blocks_of(text):
        if block.language == "python" and not QUOTED_FILE.match(block.lines[0]):
            script[block.start - 1 : block.start - 1 + len(block.lines)] = block.lines
    return "\n".join(script)


def commands_of(text: str) -> Iterator[list[str]]:
    """The words of each command in the page's shell blocks; in a console block those after a `$`."""
    for block in blocks_of(text):
        if block.language in SHELLS:
            lines = "\n".join(block.lines).replace("\\\n", " ").splitlines()
            if block.language == "console":
                lines = [line[2:] for line in lines if line.startswith("$ ")]
            for line in lines:
                yield from (shlex.split(command, comments=True) for command in line.split("&&"))


def links_of(text: str) -> Iterator[str]:
    """The page's links to files of the project, without their anchors."""
    lines = text.splitlines()
    for block in blocks_of(text):
        lines[block.start - 1 : block.start - 1 + len(block.lines)] = [""] * len(block.lines)
    prose = re.sub(r"`[^`\n]*`", "", "\n".join(lines))
    for link in LINK.finditer(prose):
        target = (link["markdown"] or link["html"]).split("#")[0]
        if target and not re.match(r"\w+:", target):
            yield target


@cache
def options_of(script: str) -> set[str]:
    """The options that a script's `--help` lists."""
    assert (ROOT / script).is_file(), f"there is no {script}"
    return set(re.findall(r"--[\w-]+", run([sys.executable, str(ROOT / script), "--help"], ROOT)))


def run(command: list[str], directory: Path) -> str:
    inherited = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL"}}
    # What the pages show must not depend on the machine's own data.
    environment = {**inherited, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg", "MINICNN_DATA": str(SAMPLE_DIRECTORY)}
    result = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=300)
    if result.returncode != 0:
        pytest.fail(f"{shlex.join(command)}\n{result.stdout}{result.stderr}", pytrace=False)
    return result.stdout


def pages(wanted) -> pytest.MarkDecorator:
    """One test for each page on which `wanted` finds something."""
    found = [page for page in PAGES if any(wanted(page.read_text("utf-8")))]
    return pytest.mark.parametrize("page", found, ids=lambda page: page.relative_to(ROOT).as_posix())


@pages(lambda text: python_of(text).split())
def test_python_runs_from_top_to_bottom(page, tmp_path, request):
    script = tmp_path / page.name
    code = python_of(page.read_text("utf-8"))
    if 'use_backend("numba"' in code:
        request.getfixturevalue("needs_numba")
    script.write_text(code, "utf-8")
    run([sys.executable, str(script)], tmp_path)


@pages(commands_of)
def test_commands_exist(page):
    for command in commands_of(page.read_text("utf-8")):
        check_command(command)


def check_command(words: list[str]) -> None:
    """Scripts of examples/ exist and know the options they get; so do modules of minicnn and the Makefile's targets."""
    if words[:1] == ["make"]:
        plan = run(["make", "--dry-run", *words[1:]], ROOT).splitlines()
        words = shlex.split(" ".join(line for line in plan if "examples/" in line))
    options = {word.split("=")[0] for word in words if word.startswith("--")}
    for word, following in pairwise([*words, ""]):
        if word.startswith("examples/"):
            assert options <= options_of(word), f"{shlex.join(words)}: {word} only knows {sorted(options_of(word))}"
        if word == "-m" and following.startswith("minicnn"):
            assert find_spec(following), f"{shlex.join(words)}: there is no module {following}"


@pages(links_of)
def test_links_lead_to_files(page):
    missing = [link for link in links_of(page.read_text("utf-8")) if not (page.parent / link).exists()]
    assert not missing, f"{page.name} links to {missing}, which do not exist"


PAGE = """\
[a file](docs/index.md#heading "Title") and <img src="plot.png">, but `[code](none.md)` is not a link.

```python title="first"
total = 1
```

- a list:

    ```python
    if total:
        total += 1
    ```

````console
$ make model5 \\
    ARGS="--epochs 3"  # short
(output)
````

```python
--8<-- "minicnn/plots.py"
```
"""


def test_a_page_is_read_as_its_reader_would():
    script = python_of(PAGE).splitlines()
    assert [(number, line) for number, line in enumerate(script, start=1) if line] == [
        *((4, "total = 1"), (10, "if total:"), (11, "    total += 1")),
    ]
    assert list(commands_of(PAGE)) == [["make", "model5", "ARGS=--epochs 3"]]
    assert list(links_of(PAGE)) == ["docs/index.md", "plot.png"]


def test_an_open_block_is_an_error():
    with pytest.raises(AssertionError, match="starts in line 2 is never closed"):
        python_of("```python\nx = 1\n")


def test_one_command_installs_what_a_gpu_needs():
    """The hints in the code, the pages and the extra `gpu` agree."""
    sources = [*PAGES, *ROOT.glob("minicnn/**/*.py"), *ROOT.glob("examples/**/*.py")]
    texts = [path.read_text("utf-8") for path in sources]
    named = {command for text in texts for command in re.findall(r'pip install "?cupy[\w-]*(?:\[\w+\])?"?', text)}
    assert named == {INSTALL, INSTALL.replace("12x", "13x")}  # the latter for users who have that one already
    extras = {extra for text in texts for extra in re.findall(r'-e "\.\[([\w,-]*\bgpu)\]"', text)}
    assert extras == {"fast,report,gpu", "gpu-test,gpu"}  # for users, and for tests
    assert f'gpu = ["{INSTALL.split()[-1].strip(chr(34))}' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_architecture_lists_every_module():
    listed = re.findall(r"^  (\w+)(?:/|\.py) ", (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"), re.M)
    modules = [
        path.stem for path in (ROOT / "minicnn").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    ]
    assert sorted(listed) == sorted(set(modules) - {"__init__"})
