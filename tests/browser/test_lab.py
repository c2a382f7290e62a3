"""A learner's first minutes: `eventlab lab`, lesson 00 in a real browser, Run All Cells."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from eventlab.waiting import wait_until
from tests.browser.conftest import screenshot
from tests.notebooks.runs import ROOT, private_home

LAB = [sys.executable, "-m", "eventlab", "lab", "--no-browser"]
PROMPTS = """return Array.from(document.querySelectorAll('.jp-CodeCell .jp-InputPrompt'))
                          .map(prompt => prompt.textContent.trim())"""
STATUS = "return document.querySelector('.jp-StatusBar-Widget')?.textContent ?? ''"
UNROLL = """const style = document.createElement('style')
            style.textContent = '.jp-Cell { content-visibility: visible !important }'
            document.head.append(style)
            const panel = document.querySelector('.jp-WindowedPanel-outer')
            panel.scrollTop = 0
            return panel.scrollHeight"""
TOP = "return document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """Return the URL of a JupyterLab as `./lab` starts it, on a checkout with copied notebooks."""
    for name in ("eventlab", "data", "lessons", "docker-compose.yaml", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    with private_home() as env:
        env |= {"PYTHONPATH": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path / "jupyter")}
        env |= {"JUPYTER_RUNTIME_DIR": str(tmp_path / "run")}
        log = tmp_path / "lab.log"
        with log.open("w") as file:
            server = subprocess.Popen(
                LAB, cwd=tmp_path, env=env, stdout=file, stderr=subprocess.STDOUT
            )
        try:
            yield _url(log)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def _url(log: Path) -> str:
    def answering() -> str | None:
        found = re.search(r"http://\S+", log.read_text())
        with contextlib.suppress(OSError):
            return found and _get(found.group(), "/api") and found.group()

    return wait_until(answering, 120, lambda: f"JupyterLab did not start: {log.read_text()}")


def test_lesson_00_runs_from_top_to_bottom_in_jupyterlab(browser: Chrome, lab: str) -> None:
    """Charts and tables show, no cell ends in an error, and nothing pops up on the first open."""
    browser.get(lab)
    wait_until(lambda: _ready(browser), 120, lambda: f"{_prompts(browser)} {_status(browser)}")
    screenshot(browser, "opened")
    _click(browser, ".lm-MenuBar-itemLabel", "Run")
    _click(browser, ".lm-Menu-itemLabel", "Run All Cells")
    wait_until(lambda: _all_ran(browser), 180, lambda: f"Not all ran: {_prompts(browser)}")
    _assert_outputs(browser)
    screenshot(browser, "lesson_00")
    browser.set_window_size(1280, browser.execute_script(UNROLL) + 300)
    browser.execute_script(TOP)
    screenshot(browser, "lesson_00_whole")


def test_the_settings_that_ship_with_eventlab_are_in_force(lab: str) -> None:
    """Widgets on subshells corrupt plots (jupyterlab#17363), and a class may be offline."""
    assert _default(lab, "kernels-settings", "commsOverSubshells") == "disabled"
    assert _default(lab, "notification", "fetchNews") == "false"
    assert _default(lab, "notification", "checkForUpdates") is False


def _all(browser: Chrome, selector: str) -> list:
    return browser.find_elements(By.CSS_SELECTOR, selector)


def _click(browser: Chrome, selector: str, text: str) -> None:
    def found() -> list:
        return [e for e in _all(browser, selector) if e.is_displayed() and e.text == text]

    wait_until(found, 30, f"There is no {text!r} to click.")[0].click()


def _prompts(browser: Chrome) -> list[str]:
    return browser.execute_script(PROMPTS)


def _status(browser: Chrome) -> str:
    return browser.execute_script(STATUS)


def _ready(browser: Chrome) -> bool:
    return bool(_prompts(browser)) and "| Idle" in _status(browser)


def _all_ran(browser: Chrome) -> bool:
    prompts = _prompts(browser)
    return bool(prompts) and all(re.fullmatch(r"\[\d+\]:", prompt) for prompt in prompts)


def _assert_outputs(browser: Chrome) -> None:
    assert not _all(browser, "[data-mime-type='application/vnd.jupyter.error']")
    assert not _all(browser, "[data-mime-type='application/vnd.jupyter.stderr']")
    assert not _all(browser, ".Toastify__toast")
    assert len(_all(browser, ".jp-RenderedHTMLCommon table")) >= 3
    [chart] = _all(browser, ".jp-RenderedImage img")
    assert chart.size["width"] > 400
    summary = [e.text for e in _all(browser, ".jp-OutputArea .jp-RenderedMarkdown")]
    assert any(text.startswith("2 records in 3 partitions.") for text in summary), summary


def _default(lab: str, plugin: str, key: str) -> object:
    told = _get(lab, f"/lab/api/settings/@jupyterlab/apputils-extension:{plugin}")
    return told["schema"]["properties"][key]["default"]


def _get(lab: str, path: str) -> dict:
    url = urlsplit(lab)
    token = parse_qs(url.query)["token"][0]
    headers = {"Authorization": f"token {token}"}
    request = urllib.request.Request(f"{url.scheme}://{url.netloc}{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)
