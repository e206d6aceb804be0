"""The site as `make site` builds it, served from this machine, with the copy of Pyodide that $PYODIDE names."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from .sites import build, served

COMPLAINTS = {"error", "warning"}


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
        allowed = tuple("/".join(one.split("/")[:3]) + "/" for one in (url, *others))
        page.on(
            "request",
            lambda request: (
                request.url.startswith((*allowed, "blob:", "data:", "about:")) or complaints.append(request.url)
            ),
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: message.type in COMPLAINTS and complaints.append(message.text))
        page.goto(url)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.context.close()
    assert not complaints


@pytest.fixture
def copied(site, tmp_path):
    """copied(): a copy of the site's folder, in which files can be damaged."""
    return lambda: Path(shutil.copytree(site, tmp_path / "site"))
