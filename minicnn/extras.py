"""Optional packages, imported by the function that needs them. Without one, the error says how to install it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

DISTRIBUTION = "minicnn-edu"
"""The name of minicnn on PyPI."""


def imported(package: str, extra: str, used_by: str) -> Any:
    """The package, imported. Raises ImportError, naming minicnn's extra that installs it, if that fails."""
    try:
        return import_module(package)
    except ImportError as error:
        remedy = f'Install it with: pip install "{DISTRIBUTION}[{extra}]"'
        raise ImportError(f"{used_by} needs {package}, which cannot be imported ({error}). {remedy}") from error
