"""Chromium, as a reader of reports has it: one for all tests of a module."""

import shutil
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
VIOLATIONS = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective), true);
"""


@pytest.fixture(scope="module")
def chromium():
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("there is no Chromium here (on Debian: apt install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=OPTIONS.split())
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def visit(chromium, tmp_path_factory):
    """Return a context manager that shows HTML from a file and fails if the page was not quiet."""

    @contextmanager
    def show(content, *, width=1280, drawn=True, quiet=True, **options):
        path = tmp_path_factory.mktemp("page") / "report.html"
        path.write_text(content, encoding="utf-8")
        context = chromium.new_context(viewport={"width": width, "height": 900}, **options)
        context.add_init_script(VIOLATIONS)
        page, heard = context.new_page(), []
        page.on("console", lambda message: heard.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: heard.append(f"error: {error}"))
        page.on("dialog", lambda dialog: heard.append(f"dialog: {dialog.message}") or dialog.dismiss())
        page.on("request", lambda request: heard.append(f"request: {request.url[:80]}"))
        page.goto(path.as_uri())
        if drawn:
            page.wait_for_selector("html[data-drawn]", state="attached")
        yield page
        if drawn:
            heard += page.evaluate("violations")
        context.close()
        # The empty icon is data: and the downloads are blob:, which no network serves.
        usual = (f"request: {path.as_uri()}", "request: data:", "request: blob:")
        assert not quiet or [said for said in heard if not said.startswith(usual)] == []

    return show
