"""The page's module: the ES modules of browser/ one after another, each behind those that it imports."""

from __future__ import annotations

import re
from importlib.resources import files
from posixpath import dirname, normpath

IMPORT = re.compile(r'^import \{[^}]*\} from "(.+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=const |function|class )", re.MULTILINE)


def source(name: str) -> str:
    """The text of a file of browser/."""
    return (files(__package__) / "browser" / name).read_text(encoding="utf-8")


def bundle(name: str = "explorer.js") -> str:
    """This module and all that it imports as one module, which imports nothing.

    A name has to be unique in all of them; the browser raises a SyntaxError for a second one.
    """
    parts: dict[str, str] = {}

    def add(name: str) -> None:
        text = source(name)
        parts[name] = ""  # known before its imports are, which may lead back to it
        for path in IMPORT.findall(text):
            if (imported := normpath(f"{dirname(name)}/{path}").lstrip("/")) not in parts:
                add(imported)
        del parts[name]
        parts[name] = f"// {name}\n\n{EXPORT.sub('', IMPORT.sub('', text)).strip()}\n"

    add(name)
    return "\n".join(parts.values())
