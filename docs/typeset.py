"""A hook of mkdocs: formulas written in LaTeX become MathML, which browsers typeset themselves.

The site needs no script and no font for them, and a formula with a mistake stops the build.
"""

from __future__ import annotations

import html
import re
from typing import Any

from math_core import LatexError, LatexToMathML
from mkdocs.exceptions import PluginError

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
"""What pymdownx.arithmatex leaves of `$…$` (a span) and of `$$…$$` (a div)."""


def on_page_content(content: str, page: Any, **_: Any) -> str:
    """The page's HTML with its formulas as MathML. Raises PluginError for a formula that is not LaTeX."""
    converter = LatexToMathML(fancy_error=False)

    def mathml(formula: re.Match[str]) -> str:
        tag, latex = formula[1], html.unescape(formula[2]).strip()
        try:
            math = converter.convert_with_local_state(latex, displaystyle=tag == "div")
        except LatexError as error:
            raise PluginError(f"{page.file.src_path}: {latex}: {error}") from error
        return f'<div class="formula">{math}</div>' if tag == "div" else math

    return FORMULA.sub(mathml, content)
