"""A hook of mkdocs: a page for each exercise, and, if a place of Pyodide is given, code that runs in the page.

`make docs` gives none, so its pages can only be read. `make site` gives the official address, another one, or a folder
(PYODIDE=DIR), whose files are checked and copied into the site. The hook marks the code that can be run;
`classroom.js` does the rest.
"""

from __future__ import annotations

import hashlib
import html
import io
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

from minicnn.exercises import COURSE, Exercise

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PINNED = json.loads((HERE / "pyodide.json").read_text("utf-8"))
OURS = ("classroom.js", "worker.js", "classroom.css")

LIVE = re.compile(
    "operations/.*|exercises/.*|blind-checks|branches|by-hand|classroom|debugging|explorer|gradient-checking|notation"
    "|numerical-stability|see-inside"
)
"""The pages whose code runs in a browser, without `.md`."""

NEEDS = {"fast": "Numba, which compiles for a processor,"}
"""Exercises that cannot be done in a browser, and what they need."""

FENCE = re.compile(r'^( *)```python\n((?: *--8<-- "([^"]+)"\n)?)', re.MULTILINE)

NOTE = """<p class="classroom-note" role="status" data-ready="The code of this page can be edited and run. The first run
loads {size} MB{source}: Python, NumPy and minicnn. Nothing is sent.">The code of this page can be edited and run if
JavaScript is on and the page comes from a web server. For a folder: <code>python -m http.server --directory site</code>
</p>"""


# the exercises' pages


def on_files(files: Any, config: Any) -> Any:
    """Add the exercises' pages; for a live site Pyodide and minicnn, otherwise leave out the scripts."""
    for number, exercise in enumerate(COURSE, start=1):
        text = exercise_page(number, exercise, is_live(config))
        files.append(File.generated(config, f"exercises/{exercise.name}.md", content=text))
    if not is_live(config):
        for name in OURS:
            files.remove(files.get_file_from_path(f"classroom/{name}"))
        return files
    settings = {"integrity": {name: integrity(sha256) for name, sha256 in PINNED["sha256"].items()}}
    content = package()
    files.append(File.generated(config, "classroom/minicnn.zip", content=content))
    settings["minicnn"] = f"minicnn.zip?{hashlib.sha256(content).hexdigest()[:8]}"  # a cached older one is not used
    settings["pyodide"] = place = place_of_pyodide(config)
    if not is_address(place):
        settings["pyodide"] = "pyodide/"
        for path in checked(Path(place)):
            files.append(File.generated(config, f"classroom/pyodide/{path.name}", abs_src_path=str(path.resolve())))
    files.append(File.generated(config, "classroom/settings.json", content=json.dumps(settings)))
    return files


def exercise_page(number: int, exercise: Exercise, live: bool) -> str:
    """The page's Markdown: the task, which can be edited and checked if the site is live, the hints, a solution."""
    course = (ROOT / "docs" / "exercises.md").read_text("utf-8")
    page = re.search(rf"^\| \d+ \| `{exercise.name}` \|.*\| \[(.*)\]\((.*)\) \|$", course, re.MULTILINE)
    assert page, f"docs/exercises.md has no row for {exercise.name}"
    code, attributes = exercise.task(seed=0), ""
    how = "It can be done on your computer, see [Exercises](../exercises.md)."
    if live and exercise.name in NEEDS:
        how = f"This exercise needs {NEEDS[exercise.name]} so it has to be done on your computer: see "
        how += "[Exercises](../exercises.md)."
    elif live:
        attributes = f' .live data-exercise="{exercise.name}"'
        code = re.sub(r"Then\s+run\s+python -m minicnn.exercises check \w+", "Then choose Check.", code)
        how = "Complete the code, then choose *Check*: the gradient doctor says what is right, and why the rest is not."
    hints = [f'??? hint "Hint {i} of {len(exercise.hints)}"' for i in range(1, len(exercise.hints) + 1)]
    return "\n\n".join(
        [
            f"# {number}. {exercise.title}",
            f"The derivation is in [{page[1]}](../{page[2]}). {how}",
            f"```{{.python{attributes}}}\n{code.rstrip()}\n```",
            *(f"{title}\n\n    {html.escape(hint)}" for title, hint in zip(hints, exercise.hints, strict=True)),
            f'??? success "A solution"\n\n    ```py\n{indented(exercise.solution.read_text("utf-8"))}\n    ```',
        ]
    )


def indented(code: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in code.rstrip().splitlines())


# the live pages


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Mark the Python blocks of a live page. The table of exercises leads to their pages."""
    if page.file.src_uri == "exercises.md":
        return re.sub(r"^(\| \d+ \| )`(\w+)`", r"\1[`\2`](exercises/\2.md)", markdown, flags=re.MULTILINE)
    if is_live(config) and LIVE.fullmatch(page.file.src_uri.removesuffix(".md")):
        return FENCE.sub(marked, markdown)
    return markdown


def marked(fence: re.Match[str]) -> str:
    """The first lines of a block that can be run. Of included files, whole modules of minicnn can be changed."""
    indent, include, file = fence.groups()
    if not file:
        return f"{indent}```{{.python .live}}\n"
    if not re.fullmatch(r"minicnn/[\w/]+\.py", file):
        return fence[0]
    return f'{indent}```{{.python .live data-file="{file}"}}\n{include}'


def on_page_content(content: str, page: Any, config: Any, **_: Any) -> str:
    """Below the heading of a page with live code: that it can be run, or what is missing."""
    if 'class="live' not in content:
        return content
    place = place_of_pyodide(config)
    source = f" from {place.split('/')[2]} and this site" if is_address(place) else ""
    return content.replace("</h1>", f"</h1>\n{NOTE.format(source=source, size=PINNED['megabytes'])}", 1)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Load the script and the style on pages with live code only."""
    if 'class="live' not in output:
        return output
    base = "../" * page.file.dest_uri.count("/") + "classroom/"
    output = output.replace("</head>", f'<link rel="stylesheet" href="{base}classroom.css"></head>', 1)
    return output.replace("</body>", f'<script type="module" src="{base}classroom.js"></script></body>', 1)


def is_live(config: Any) -> bool:
    return bool(config.extra["pyodide"])


def place_of_pyodide(config: Any) -> str:
    """An address that ends in a slash, or a folder."""
    place = config.extra["pyodide"]
    return PINNED["address"] if place == "official" else f"{place.rstrip('/')}/"


def is_address(place: str) -> bool:
    return re.match("https?://", place) is not None


# what the pages load


def package() -> bytes:
    """minicnn from this source tree, as a ZIP file that Pyodide unpacks."""
    content = io.BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED) as archive:
        for path in sorted((ROOT / "minicnn").rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.writestr(ZipInfo(path.relative_to(ROOT).as_posix()), path.read_bytes(), ZIP_DEFLATED)
    return content.getvalue()


def checked(folder: Path) -> Iterator[Path]:
    """Pyodide's files in a folder. Raises PluginError if one is missing or is not the pinned one."""
    for name, expected in PINNED["sha256"].items():
        path = folder / name
        if not path.is_file():
            raise PluginError(f"PYODIDE={folder}: {name} of Pyodide {PINNED['version']} is missing there.")
        if (found := hashlib.sha256(path.read_bytes()).hexdigest()) != expected:
            raise PluginError(f"{path}: expected is Pyodide {PINNED['version']}, SHA-256 {expected}, found {found}.")
        yield path


def integrity(sha256: str) -> str:
    """A SHA-256 as browsers want it."""
    return f"sha256-{b64encode(bytes.fromhex(sha256)).decode()}"
