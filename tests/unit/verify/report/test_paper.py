"""The page on screen and on paper, where every row is open. Needs a Chromium."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.verify.report.comparisons import key, with_differences
from verify.comparison.differences import PathChange
from verify.comparison.results import Difference, Kind
from verify.report.html import write_html

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
COUNTS: dict[Kind, int] = {"changed": 2, "extra": 3, "missing": 200}

# Writes what is laid out into the title of the page.
COUNT = """
const all = (selector) => [...document.querySelectorAll(selector)];
const visible = (selector) => all(selector).filter((one) => one.offsetHeight).length;
document.title = JSON.stringify({
  rows: visible(".row > tr:first-child"), details: visible(".detail"), controls: visible(".controls"),
  copy: visible(".copy") > 0, found: document.getElementById("count").textContent,
  ...(window.copied ? { copied: window.copied } : {}),
});
"""
COPY = """
navigator.clipboard.writeText = async (text) => { window.copied = text; };
document.querySelector(".row .copy").click();
"""
FILTER = """
const search = document.getElementById("search");
search.value = "id=19";
search.dispatchEvent(new Event("input", { bubbles: true }));
"""

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")


def seen(page: Path, action: str = "", *, on_paper: bool = False, script: bool = True) -> dict[str, Any]:
    """What a browser lays out after ``action``, a script."""
    text = page.read_text(encoding="utf-8")
    # The page's policy lets nothing else run: this copy has none.
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    if on_paper:
        text = text.replace("@media screen", "@media speech").replace("@media print", "@media screen")
    if not script:
        text = re.sub(r"<script>.*</script>", "", text, flags=re.DOTALL)
    copy = page.with_name("copy.html")
    copy.write_text(text.replace("</body>", f"<script>{action}{COUNT}</script></body>"), encoding="utf-8")
    assert BROWSER is not None
    shown = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={page.parent / 'profile'}",
            "--dump-dom",
            copy.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    found = re.search(r"<title>(.*?)</title>", shown)
    assert found is not None
    counts: dict[str, Any] = json.loads(html.unescape(found[1]))
    return counts


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = PathChange(("timezone",), "value_changed", "S", "S")
    differences = [
        Difference(kind, key(n), (path,) if kind == "changed" else ())
        for kind, count in COUNTS.items()
        for n in range(count)
    ]
    write_html(tmp_path / "verify.html", with_differences(*differences))
    return tmp_path / "verify.html"


def test_the_screen_has_a_hundred_closed_rows(page: Path) -> None:
    assert seen(page) == {"rows": 100, "details": 0, "controls": 1, "copy": True, "found": "205 of 205"}


def test_rows_are_filtered_extended_and_opened(page: Path) -> None:
    # 19, and 190 to 199.
    assert seen(page, FILTER)["rows"] == 11
    assert seen(page, "document.getElementById('more').click();")["rows"] == 200
    assert seen(page, "document.querySelector('.toggle').click();")["details"] == 1
    one = seen(page, "document.querySelector('[data-attribute]').click();")
    assert (one["rows"], one["found"]) == (2, "2 of 205")


def test_a_key_is_copied_as_json(page: Path) -> None:
    assert json.loads(seen(page, COPY)["copied"]) == key(0)


@pytest.mark.parametrize("action", ["", FILTER])
def test_paper_has_every_row_open(page: Path, action: str) -> None:
    shown = seen(page, action, on_paper=True)
    assert (shown["rows"], shown["details"]) == (205, 205)
    assert (shown["controls"], shown["copy"]) == (0, False)


def test_without_a_script_every_row_is_open(page: Path) -> None:
    shown = seen(page, script=False)
    assert (shown["rows"], shown["details"], shown["controls"], shown["copy"]) == (205, 205, 0, False)
