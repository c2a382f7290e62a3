"""A real browser without a window, and pictures of what it shows."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from tests.notebooks.runs import ROOT

SCREENSHOTS = ROOT / "artifacts"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
    "--force-device-scale-factor=1",
)


@pytest.fixture
def browser() -> Iterator[Chrome]:
    """Return a headless Chromium; without one the test is skipped, and fails in CI."""
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if not (binary and driver):
        reason = "needs Chromium and chromedriver: apt-get install chromium chromium-driver"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    options = ChromeOptions()
    options.binary_location = binary
    for flag in FLAGS:
        options.add_argument(flag)
    # Chromium leaves a folder for each run in the folder of temporary files.
    with tempfile.TemporaryDirectory(prefix="el-", ignore_cleanup_errors=True) as place:
        service = ChromeService(driver, env=os.environ | {"TMPDIR": place})
        with Chrome(options, service) as chrome:
            yield chrome


def screenshot(browser: Chrome, name: str) -> None:
    """Keep what the browser shows, for people to look at."""
    SCREENSHOTS.mkdir(exist_ok=True)
    browser.save_screenshot(str(SCREENSHOTS / f"{name}.png"))
