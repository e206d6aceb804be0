"""A document as Markdown, for the site."""

from __future__ import annotations

import textwrap

from .document import Block, Bullets, Document, Heading, Paragraph, Picture, Table

WIDTH = 120


def markdown(document: Document, comment: str, images: str) -> str:
    """The Markdown file; `images` is the folder of the figures, seen from it, `comment` a note to who edits it."""
    parts = [f"<!-- {comment} -->", f"# {document.title}", *(_block(block, images) for block in document.blocks)]
    return "\n\n".join(parts) + "\n"


def _block(block: Block, images: str) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {text}"
        case Paragraph(text):
            return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)
        case Bullets(items):
            return "\n".join(_bullet(item) for item in items)
        case Table(header, rows, names):
            rule = ["---"] * names + ["---:"] * (len(header) - names)
            return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))
        case Picture(name, caption):
            return f"![{caption}]({images}/{name}.png)\n\n*{caption}*"


def _bullet(item: str) -> str:
    return textwrap.fill(
        item, WIDTH, initial_indent="- ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
