"""What the tests of browsers need, and what they may not leave behind."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from affnet.devices.browser.device import BrowserDevice, BrowserSettings
from affnet.devices.browser.executable import find_browser
from affnet.devices.browser.npm_packages import Installer
from affnet.errors import MissingError


def without_browser() -> str | None:
    """Say why no browser can be driven here, if so."""
    if importlib.util.find_spec("playwright") is None:
        return "Playwright is not installed: pip install 'affnet[browser]'"
    try:
        find_browser(None, _playwrights_own())
    except MissingError:
        return "no Chromium is installed: sudo apt-get install chromium"
    return None


def _playwrights_own() -> str:
    """Ask Playwright in a process of its own, as its loop would meet pytest's threads."""
    code = (
        "from playwright.sync_api import sync_playwright as start\n"
        "with start() as playwright: print(playwright.chromium.executable_path)"
    )
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def install_runtimes() -> Path:
    """Return the installed npm packages; skip if they cannot be had."""
    try:
        return Installer().install()
    except MissingError as error:
        pytest.skip(f"the runtimes for browsers are not there: {error}")


def commands_with(text: str) -> list[str]:
    """Return the command lines of all processes that hold ``text``."""
    commands = (process.info["cmdline"] or () for process in psutil.process_iter(["cmdline"]))
    return [" ".join(command) for command in commands if any(text in part for part in command)]


def files_left(folder: Path) -> list[str]:
    """Return what of ours, of Playwright and of a browser stands in a temporary folder."""
    names = ("affnet-browser-", "playwright", "chrom")
    return [path.name for path in folder.iterdir() if any(name in path.name for name in names)]


@contextmanager
def nothing_left_behind() -> Iterator[Path]:
    """Yield a folder for temporary files, in which, and of which, nothing may be left."""
    folder = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))  # short: see `browser_process`
    before = set(psutil.Process().children(recursive=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setenv("TMPDIR", str(folder))
        try:
            yield folder
            assert files_left(folder) == [], files_left(folder)
            assert commands_with(f"{folder}/") == []
            left = set(psutil.Process().children(recursive=True)) - before
            assert [process.pid for process in left] == []
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def device(**settings: Any) -> BrowserDevice:
    """Return a device called ``chromium``."""
    return BrowserDevice("chromium", BrowserSettings(**settings))
