"""The site as `make site` builds it, served from this machine, with the copy of Pyodide that $PYODIDE names."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from .sites import build, served


@pytest.fixture(scope="session")
def pyodide():
    """The folder with Pyodide's files."""
    if not os.environ.get("PYODIDE"):
        pytest.fail("$PYODIDE has to name a folder with Pyodide; `make test-site` downloads one.")
    return Path(os.environ["PYODIDE"]).resolve()


@pytest.fixture(scope="session")
def site(pyodide, tmp_path_factory):
    """The folder of a site with a copy of Pyodide."""
    folder = tmp_path_factory.mktemp("site")
    build(folder, str(pyodide))
    return folder


@pytest.fixture(scope="session")
def address(site):
    with served(site) as address:
        yield address


@pytest.fixture
def visit(browser):
    """visit(url, *others, **options): a page, which may load files of its own server and of the others only.

    At the end it must not have complained.
    """
    pages, complaints = [], []

    def open_page(url, *others, **options):
        page = browser.new_context(**options).new_page()
        page.set_default_timeout(120_000)
        allowed = (*("/".join(one.split("/")[:3]) + "/" for one in (url, *others)), "blob:", "data:", "about:")

        def requested(request):
            if not request.url.startswith(allowed):
                complaints.append(f"request: {request.url}")

        def printed(message):
            if message.type in ("error", "warning"):
                complaints.append(f"console: {message.text}")

        page.on("request", requested)
        page.on("console", printed)
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.goto(url)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.context.close()
    assert not complaints


@pytest.fixture
def copy(site, tmp_path):
    """A copy of the site's folder, in which files can be damaged."""
    return Path(shutil.copytree(site, tmp_path / "site"))
