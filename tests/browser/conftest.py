"""A real Chromium without a window, and pages that must not complain or load anything."""

from __future__ import annotations

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="session")
def browser():
    """Debian's chromium, or the one that $CHROMIUM names. Without one the tests fail."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.fail("No Chromium. On Debian and Ubuntu: apt install chromium; or set CHROMIUM to its path.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser):
    """opened(path, **options): the page of a file. At the end it must have printed and requested nothing."""
    pages, complaints = [], []

    def open_page(path, **options):
        page = browser.new_context(**options).new_page()
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("request", lambda request: complaints.append(f"request: {request.url}"))
        page.goto(path.as_uri())
        complaints.remove(f"request: {path.as_uri()}")
        page.wait_for_selector(".opened h2", timeout=20_000)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.context.close()
    assert not complaints
