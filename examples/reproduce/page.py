"""A document as one HTML file that needs nothing else: figures inside it, both colour schemes, readable on a phone."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from .document import Block, Bullets, Document, Heading, Paragraph, Picture, Table

STYLE = Path(__file__).with_name("page.css")


def page(document: Document, figures: Path) -> str:
    """The HTML file; `figures` is the folder that holds each figure as NAME-light.png and NAME-dark.png."""
    contents = [block for block in document.blocks if isinstance(block, Heading) and block.level == 2]
    links = "\n".join(f'<li><a href="#{block.anchor}">{_inline(block.text)}</a></li>' for block in contents)
    body = "\n".join(_block(block, figures) for block in document.blocks)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(document.title)}</title>
<style>
{STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<nav><ol>
{links}
</ol></nav>
<main>
<h1>{_inline(document.title)}</h1>
{body}
</main>
</body>
</html>
"""


def _block(block: Block, figures: Path) -> str:
    match block:
        case Heading(text, level):
            return f'<h{level} id="{block.anchor}">{_inline(text)}</h{level}>'
        case Paragraph(text):
            return f"<p>{_inline(text)}</p>"
        case Bullets(items):
            return "<ul>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + "</ul>"
        case Table(header, rows, names):
            lines = "\n".join(f"<tr>{_cells(row, names)}</tr>" for row in rows)
            table = f"<table>\n<thead><tr>{_cells(header, names)}</tr></thead>\n<tbody>\n{lines}\n</tbody></table>"
            return f'<div class="table">{table}</div>'
        case Picture(name, caption):
            return _figure(figures, name, caption)


def _cells(row: Sequence[str], names: int) -> str:
    """The first `names` cells hold names, the others numbers."""
    inside = [_inline(cell) for cell in row]
    return "".join([f"<th>{cell}</th>" for cell in inside[:names]] + [f"<td>{cell}</td>" for cell in inside[names:]])


def _figure(figures: Path, name: str, caption: str) -> str:
    files = [(figures / f"{name}-{style}.png").read_bytes() for style in ("light", "dark")]
    light, dark = (f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}" for content in files)
    source = f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">'
    image = f'<img src="{light}" alt="{escape(caption)}" loading="lazy">'
    return f"<figure><picture>{source}{image}</picture><figcaption>{_inline(caption)}</figcaption></figure>"


def _inline(text: str) -> str:
    """Text with `code` and **strong**."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)
