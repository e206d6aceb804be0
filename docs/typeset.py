"""A hook of mkdocs: formulas written in LaTeX become MathML, which browsers typeset themselves.

The site needs no script for them, and a formula with a mistake stops the build. On a narrow screen, formulas that stand
beside each other stand below each other.
"""

from __future__ import annotations

import html
import re
from typing import Any

from math_core import LatexError, LatexToMathML
from mkdocs.exceptions import PluginError

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
"""What pymdownx.arithmatex leaves of `$…$` (a span) and of `$$…$$` (a div)."""

SPLITTER = re.compile(r"(\\qquad\b|\\begin\b|\\end\b|\\[{}]|[{}])")


def parts(latex: str) -> list[str]:
    """The formulas that stand beside each other: what `\\qquad` separates outside of braces and environments."""
    found, depth = [""], 0
    for token in SPLITTER.split(latex):
        depth += {"{": 1, "}": -1, "\\begin": 1, "\\end": -1}.get(token, 0)
        if token == "\\qquad" and depth == 0:
            found.append("")
        else:
            found[-1] += token
    return [part.strip() for part in found if part.strip()]


def on_page_content(content: str, page: Any, **_: Any) -> str:
    """The page's HTML with its formulas as MathML. Raises PluginError for a formula that is not LaTeX."""
    converter = LatexToMathML(fancy_error=False)

    def mathml(formula: re.Match[str]) -> str:
        tag, latex = formula[1], html.unescape(formula[2]).strip()
        try:
            display = tag == "div"
            formulas = parts(latex) if display else [latex]
            math = "".join(converter.convert_with_local_state(part, displaystyle=display) for part in formulas)
        except LatexError as error:
            raise PluginError(f"{page.file.src_path}: {latex}: {error}") from error
        return f'<div class="formula">{math}</div>' if tag == "div" else math

    return FORMULA.sub(mathml, content)
