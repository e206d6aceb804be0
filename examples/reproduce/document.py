"""The parts of a document, as plain data: the page and the Markdown file are two ways to write the same ones.

Texts may contain `code` and **strong** as in Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Heading:
    text: str
    level: int = 2

    @property
    def anchor(self) -> str:
        """Its address within the page, as MkDocs makes it."""
        return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", self.text).strip().lower())


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Bullets:
    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """The first `names` columns are names, left-aligned; the others numbers or short words."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    names: int = 1


@dataclass(frozen=True)
class Picture:
    """A figure by its file's name without the ending."""

    name: str
    caption: str


Block = Heading | Paragraph | Bullets | Table | Picture


@dataclass(frozen=True)
class Document:
    title: str
    blocks: Sequence[Block]

    @property
    def pictures(self) -> set[str]:
        """The names of its figures."""
        return {block.name for block in self.blocks if isinstance(block, Picture)}
