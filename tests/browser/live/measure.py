"""Prints the numbers of docs/classroom.md, section Speed. Not a test: pytest runs it only if this file is named.

PYODIDE=build/pyodide .venv/bin/python -m pytest -q -s tests/browser/live/measure.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from .test_live_pages import run


def test_the_start_of_python(visit, address):
    """A new page has nothing in its cache. Its second run needs no start."""
    print()
    for _ in range(5):
        page = visit(f"{address}operations/dense.html")
        begin = time.perf_counter()
        run(page, "Run cell 1")
        ready = time.perf_counter()
        run(page, "Run cell 1")
        print(f"the start takes {2 * ready - begin - time.perf_counter():.1f} s")
        page.close()


def test_the_blocks_of_the_page(visit, address):
    """In the page and, with one thread, outside."""
    page = visit(f"{address}classroom.html")
    print(f"\nChromium {page.context.browser.version}")
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    for number, code in enumerate(page.locator(".live code").all_text_contents(), start=1):
        print(f"\nin the page:\n{run(page, f'Run cell {number}')}\noutside:", flush=True)
        subprocess.run([sys.executable, "-c", code], env=one_thread, check=True)
