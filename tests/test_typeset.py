"""The site: docs/typeset.py makes MathML of formulas, docs/style.css turns white figures dark."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs"))
pytest.importorskip("math_core")
pytest.importorskip("mkdocs")

from mkdocs.exceptions import PluginError
from typeset import on_page_content, parts

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = SimpleNamespace(file=SimpleNamespace(src_path="page.md"))


def page(content):
    return on_page_content(content, PAGE)


def test_a_formula_in_a_sentence_becomes_math():
    made = page(r'<p>the <span class="arithmatex">\(x \lt 1\)</span> numbers</p>')
    assert made.startswith("<p>the <math")
    assert made.endswith("</math> numbers</p>")
    assert "arithmatex" not in made


def test_a_formula_of_its_own_becomes_a_block():
    made = page(r'<div class="arithmatex">\[y = x &lt; 1\]</div>')
    assert made.startswith('<div class="formula"><math')
    assert 'display="block"' in made


def test_formulas_beside_each_other_are_separate():
    made = page(r'<div class="arithmatex">\[a = b, \qquad c = d\]</div>')
    assert made.count("<math") == 2
    assert parts(r"a \qquad \text{so \qquad not here} \qquad b") == ["a", r"\text{so \qquad not here}", "b"]
    assert len(parts(r"\begin{aligned} a \qquad b \end{aligned}")) == 1


def test_a_mistake_in_a_formula_stops_the_build():
    with pytest.raises(PluginError, match=r"page\.md: .*frac"):
        page(r'<div class="arithmatex">\[\frac{1\]</div>')


def test_text_without_formulas_is_left_alone():
    assert page("<p>costs $5</p>") == "<p>costs $5</p>"


def test_only_dark_figures_keep_their_colours_in_dark_mode():
    endings = tuple(re.findall(r'\[src\$="([^"]+)"\]', (DOCS / "style.css").read_text(encoding="utf-8")))
    pages = [page.read_text(encoding="utf-8") for page in DOCS.glob("**/*.md")]
    images = {image for text in pages for image in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)}
    kept = {image for image in images if image.endswith(endings)}
    assert {image for image in kept if not image.endswith("#only-dark")} == {"images/model5.png"}
