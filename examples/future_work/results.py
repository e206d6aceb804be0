"""Everything that has been measured, in one JSON file that is written after each measurement."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from experiment.checkpoint import RunError
from experiment.files import write_json


class Results:
    """The content of the file, as `content`. Raises RunError if the file was begun with other settings."""

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        self.content: dict[str, Any] = {"settings": dict(settings)}
        if path.exists():
            try:
                self.content = json.loads(path.read_text(encoding="utf-8"))
                found = self.content["settings"]
            except (ValueError, LookupError) as error:
                raise RunError(f"{path} is damaged: {error!r}; delete it or choose another folder by --out") from None
            if found != dict(settings):
                raise RunError(f"{path} was begun with {found}, not {dict(settings)}; --out DIR begins another study")

    def once(self, section: str, name: str, measure: Callable[[], Any]) -> Any:
        """The value of this name; measured and written to the file if it is not there yet."""
        values = self.content.setdefault(section, {})
        if name not in values:
            values[name] = measure()
            write_json(self.path, self.content)
        return values[name]
