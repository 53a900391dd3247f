"""A report of a model whose names are scripts, opened in a browser: none of them runs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_impa.analysis.report.contents import ReportContents
from napari_impa.analysis.report.page import report_page

RUN = "document.documentElement.setAttribute('data-ran', 'yes')"
NAMES = (
    f"<script>{RUN}</script>",
    f"""x"><img src=x onerror="{RUN}">""",
    f"' onmouseover='{RUN}' autofocus onfocus='{RUN}",
    f"</title></style></script><svg onload={RUN.replace(' ', '')}>",
    f"javascript:{RUN}",
    f"</td></table><iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
)


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
    if found is None:
        pytest.skip("no Chromium is installed that could open the page")
    return found


def opened(browser: str, path: Path, page: str) -> str:
    """What a page is once all that runs of itself has run."""
    path.write_text(page, encoding="utf-8")
    done = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--virtual-time-budget=3000", f"--user-data-dir={path.with_suffix('')}", "--dump-dom", path.as_uri(),
        ],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    if "</html>" not in done.stdout:
        pytest.skip(f"Chromium cannot start here: {done.stderr[-200:]}")
    return done.stdout


def test_names_that_are_scripts_do_not_run(
    browser: str, contents: Callable[..., ReportContents], tmp_path: Path
) -> None:
    every = " ".join(NAMES)
    made = contents(
        *NAMES, model=every, title=every, first=every, paragraph=every, channels=NAMES[:2],
        facts=tuple((name, name) for name in NAMES), settings=dict(zip(NAMES, NAMES, strict=True)), citations=NAMES,
    )  # fmt: skip
    shown = opened(browser, tmp_path / "report.html", report_page(made))
    assert "data-ran" not in shown[: shown.index(">", shown.index("<html"))]
    assert "data-ran=" not in shown.replace("&#39;", "'").split("<body", 1)[0]
    raw = opened(browser, tmp_path / "raw.html", f"<html><head></head><body>{every}</body></html>")
    assert 'data-ran="yes"' in raw[: raw.index("<head")], "the same names do run where nothing escapes them"
