"""The page on paper: every row of every kind, whatever the screen shows. Needs a Chromium."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.verify.report.comparisons import key, with_differences
from verify.comparison.results import Difference, Kind
from verify.report.html import write_html

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
COUNTS: dict[Kind, int] = {"changed": 2, "extra": 3, "missing": 200}

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")


def rows_after(page: Path, *events: str) -> list[str]:
    """The kinds of the rows that the page has after these events, in a browser."""
    text = page.read_text(encoding="utf-8")
    # The page's policy lets nothing else run: this copy has none.
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    script = "".join(f"dispatchEvent(new Event('{event}'));" for event in events)
    copy = page.with_name("copy.html")
    copy.write_text(text.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    assert BROWSER is not None
    found = subprocess.run(
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
    return re.findall(r'<button type="button" aria-expanded="(\w+)"', found)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    differences = [Difference(kind, key(n)) for kind, count in COUNTS.items() for n in range(count)]
    write_html(tmp_path / "verify.html", with_differences(*differences))
    return tmp_path / "verify.html"


def test_paper_has_every_row_opened(page: Path) -> None:
    assert rows_after(page) == ["false"] * 100
    assert rows_after(page, "beforeprint") == ["true"] * sum(COUNTS.values())


def test_the_screen_gets_its_own_back(page: Path) -> None:
    assert rows_after(page, "beforeprint", "afterprint") == ["false"] * 100
