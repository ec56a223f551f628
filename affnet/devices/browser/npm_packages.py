"""The runtimes that a page runs: npm packages of exact versions, in the user's cache.

``web/package-lock.json`` names each package with its version and hash, and npm checks them.  Their
installation scripts are not run: the files are only served to a page.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from affnet.cache import KINDS
from affnet.devices.browser.page_server import PAGE
from affnet.errors import MeasurementError, MissingError
from affnet.files import content_sha256, translating_os_errors
from affnet.processes import TooMuchOutputError, collect

#: The package that each runtime of affnet is in a page.
PACKAGES = {"litert": "@litertjs/core", "onnxruntime": "onnxruntime-web"}
_LOCK = PAGE / "package-lock.json"
_TIMEOUT_S = 900.0
_OPTIONS = (
    "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--no-update-notifier",
    "--fetch-retries=1", "--fetch-retry-mintimeout=1000",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Return the version of each runtime in a page."""
    locked = json.loads(_LOCK.read_text(encoding="utf-8"))["packages"]
    return {
        runtime: str(locked[f"node_modules/{package}"]["version"])
        for runtime, package in PACKAGES.items()
    }


def installed_folder() -> Path:
    """Return the ``node_modules`` of the locked versions, whether it is there or not."""
    return KINDS["browser"].location() / content_sha256(_LOCK)[:16] / "node_modules"


def find_npm() -> str:
    """Return npm's path; raise `MissingError` if it is not installed."""
    if npm := shutil.which("npm"):
        return npm
    raise MissingError(
        "The runtimes for browsers are npm packages, and npm is not installed",
        "run: sudo apt-get install npm (on a Mac: brew install node)",
    )


class Installer:
    """Installs the packages if they are not there yet; can be interrupted from another thread."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def install(self, progress: Callable[[str], None] = lambda _: None) -> Path:
        """Return the ``node_modules`` with the packages.

        Raises:
            MissingError: npm is missing, or cannot install them.
            MeasurementError: it was interrupted.
        """
        from filelock import FileLock

        target = installed_folder()
        if target.is_dir():
            return target
        npm = find_npm()
        with translating_os_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / "lock"):
            if target.is_dir():  # another process was first
                return target
            names = ", ".join(PACKAGES.values())
            progress(f"Installing {names} with npm, once")
            with (
                translating_os_errors(target),
                tempfile.TemporaryDirectory(dir=target.parent, prefix="npm-") as staging,
            ):
                for name in ("package.json", "package-lock.json"):
                    shutil.copy(PAGE / name, staging)
                self._run([npm, "ci", *_OPTIONS], Path(staging))
                Path(staging, "node_modules").rename(target)
        return target

    def interrupt(self) -> None:
        """End npm."""
        self._stopped.set()
        if (process := self._process) is not None:
            _kill(process)

    def _run(self, command: list[str], folder: Path) -> None:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that all that npm starts can be ended with it
        )
        self._process = process
        if self._stopped.is_set():  # before it was known which to end
            _kill(process)
        try:
            _, stderr = collect(process, _TIMEOUT_S)
        except TooMuchOutputError as error:
            raise MissingError(f"npm reports errors without end ({error})") from None
        except TimeoutError:
            raise MissingError(
                f"npm did not install {', '.join(PACKAGES.values())} within {_TIMEOUT_S:.0f} s",
                "try again when the network is faster.",
            ) from None
        finally:
            self._process = None
            _kill(process)
            process.wait()
            assert process.stderr is not None  # a pipe was asked for
            process.stderr.close()
        if self._stopped.is_set():
            raise MeasurementError("Installing the runtimes for browsers was stopped.")
        if process.returncode != 0:
            raise MissingError(
                f"npm cannot install {', '.join(PACKAGES.values())} ({_reason(stderr)})",
                "connect to the network for the first measurement in a browser.",
            )


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started."""
    with suppress(ProcessLookupError, PermissionError):  # the latter: on a Mac, if it has ended
        os.killpg(process.pid, signal.SIGKILL)


def _reason(stderr: str) -> str:
    """Return what npm gives as the reason: its codes first, then a sentence."""
    lines = [
        line.removeprefix("npm error ").strip()
        for line in stderr.splitlines()
        if line.startswith("npm error ")
    ]
    sentences = [line for line in lines if line.split(" ")[0] not in ("code", "errno", "syscall")]
    return next(iter(sentences or lines), "it gave no reason").rstrip(".")
