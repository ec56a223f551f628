"""Which browser is measured: the one that is set, Playwright's own, or the system's."""

from __future__ import annotations

import shutil
from pathlib import Path

from affnet.errors import MissingError

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
APPLICATIONS = (  # of macOS
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
REMEDY = "playwright install chromium"


def find_browser(chosen: str | None, playwrights_own: str) -> str:
    """Return the path of a browser of Chromium's family.

    ``chosen`` is what the device's entry sets: a path, or a name on PATH.

    Raises:
        MissingError: there is none.
    """
    if chosen is not None:
        if found := shutil.which(str(Path(chosen).expanduser())):
            return found
        raise MissingError(f"{chosen} is no browser that can be started", f"run: {REMEDY}")
    candidates = (playwrights_own, *COMMANDS, *APPLICATIONS)
    for candidate in candidates:
        if found := shutil.which(candidate):
            return found
    raise MissingError("No Chromium or Chrome was found on this machine", f"run: {REMEDY}")
