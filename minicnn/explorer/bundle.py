"""The page's module: the ES modules of browser/ one after another, each behind those that it imports."""

from __future__ import annotations

import re
from importlib.resources import files
from posixpath import dirname, join, normpath

IMPORT = re.compile(r'^import \{[^}]*\} from "(.+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=const |function|class )", re.MULTILINE)


def source(name: str) -> str:
    """The text of a file of browser/."""
    return (files(__package__) / "browser" / name).read_text(encoding="utf-8")


def bundle(name: str = "explorer.js") -> str:
    """This module and all that it imports as one module, which imports nothing.

    A name has to be unique in all of them; the browser raises a SyntaxError for a second one. Imports form no cycle.
    """
    parts: dict[str, str] = {}

    def add(name: str) -> None:
        if name in parts:
            return
        text = source(name)
        for path in IMPORT.findall(text):
            add(normpath(join(dirname(name), path)))
        parts[name] = f"// {name}\n\n{EXPORT.sub('', IMPORT.sub('', text)).strip()}\n"

    add(name)
    return "\n".join(parts.values())
