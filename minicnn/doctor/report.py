"""The findings as a JSON file to attach to a bug report, without names of users or folders."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from ..files import atomic_writer

_FOLDERS = re.compile(r"(?<![\w.:/\\])(?:[A-Za-z]:)?[/\\]+(?:[^\s/\\'\"<>|:,;()]+[/\\]+)+")


def write_report(findings: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Write the findings, without paths, to a file that appears complete or not at all. Raises OSError if it fails."""
    text = json.dumps(without_paths(findings), indent=2, allow_nan=False) + "\n"
    with atomic_writer(path) as file:
        file.write(text.encode())


def without_paths(value: Any) -> Any:
    """The same data without folders in its texts: error messages contain paths, and paths contain names of users."""
    if isinstance(value, dict):
        return {name: without_paths(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_paths(item) for item in value]
    if not isinstance(value, str):
        return value
    for folder in (sys.prefix, str(Path.home())):  # these may contain spaces
        if len(folder) > 1:
            value = value.replace(folder, "/…").replace(folder.replace("\\", "\\\\"), "/…")
    return _FOLDERS.sub("…/", value)
