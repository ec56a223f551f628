"""Browsers on this machine: onnxruntime-web and LiteRT.js in a page of a headless Chromium.

Each measuring process is a browser of its own, with a fresh profile, driven by Playwright
(`affnet.devices.browser.worker`).  The page comes from a server on loopback
(`affnet.devices.browser.page_server`), and so do the runtimes, which npm installs once
(`affnet.devices.browser.npm_packages`).
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from affnet.artifact import Artifact
from affnet.devices.base import Capabilities, Check, Progress, Settings, check_capable
from affnet.devices.browser.npm_packages import Installer, find_npm, installed_folder, versions
from affnet.devices.browser.pipeline import PageProcess
from affnet.devices.browser.process import Processes
from affnet.devices.worker import host_probes
from affnet.devices.worker.channel import ask, describe_job
from affnet.errors import (
    AffnetError,
    ArtifactError,
    CatalogError,
    MissingError,
    UsageError,
    require,
)

_PURPOSE = "Measuring in a browser"
_LOOK_TIMEOUT_S = 90.0
_SEEN = ("browser", "user_agent", "hardware_concurrency", "cross_origin_isolated", "gpu")


@dataclass(frozen=True, kw_only=True)
class BrowserSettings(Settings):
    """What may be set of a browser."""

    executable: str | None = None  # a path, or a name on PATH
    accelerator: str = "wasm"  # or webgpu
    flags: str = ""  # further ones of the browser's command line, as a shell would split them


_DEFAULTS = BrowserSettings()


class BrowserDevice:
    """Measures in fresh browsers on this machine."""

    kind: ClassVar = "browser"
    capabilities: ClassVar = Capabilities(
        runtimes=("onnxruntime", "litert"),
        accelerators=("cpu", "webgpu"),
        home_runtimes=("onnxruntime", "litert"),
    )
    settings_type: ClassVar[type[Settings]] = BrowserSettings

    def __init__(self, name: str = "browser", settings: BrowserSettings = _DEFAULTS) -> None:
        if settings.accelerator not in ("wasm", "webgpu"):
            raise CatalogError(f"{name}: accelerator must be wasm or webgpu.")
        try:
            shlex.split(settings.flags)
        except ValueError:
            raise CatalogError(f"{name}: flags has a quotation mark that is not closed.") from None
        self.name = name
        self.settings = settings
        self._processes = Processes()
        self._installer = Installer()
        self._seen: dict[str, Any] | None = None

    def address(self) -> str:
        """See `Device.address`: this machine, as the host's, so that both are not busy at once."""
        return "this machine"

    def check_runtime(self, runtime: str) -> None:
        """See `Device.check_runtime`: Playwright must be installed, and npm if it is needed."""
        check_capable(self, runtime)
        require("playwright", extra="browser", purpose=_PURPOSE)
        if not installed_folder().is_dir():
            find_npm()

    def plan(self, files: Sequence[str], runtime: str, threads: int) -> list[str]:
        """See `Device.plan`."""
        settings = self.settings
        which = settings.executable or "Playwright's own Chromium, or the system's"
        installed = "which are there" if installed_folder().is_dir() else "with npm"
        target = (
            f"{threads} thread(s) of WebAssembly" if settings.accelerator == "wasm" else "WebGPU"
        )
        packages = ", ".join(f"{name} {version}" for name, version in versions().items())
        return [
            f"Start {which}, without a window, and see what it offers",
            f"Install {packages} for pages into {installed_folder().parent}, {installed}",
            "Look at the load, the frequency governor and the temperature of this machine",
            *(f"Load {file} in a browser of its own, for its peak memory" for file in files),
            *(
                f"Load {file} in a page of a fresh browser, served on loopback, with {runtime} on "
                f"{target}, and warm up"
                for file in files
            ),
        ]

    @contextmanager
    def session(self, runtime: str, progress: Progress = lambda _: None) -> Iterator[None]:
        """See `Device.session`."""
        self.check_runtime(runtime)
        progress("Starting the browser")
        seen = self._look()
        if not seen["cross_origin_isolated"]:
            raise MissingError(
                f"Chromium {seen['browser']} does not isolate the page, which so gets no "
                "threads and no fine clock",
                "set another browser as the device's executable.",
            )
        if self.settings.accelerator == "webgpu" and seen["gpu"] is None:
            raise MissingError(
                f"Chromium {seen['browser']} offers no WebGPU here",
                'set the device\'s accelerator to "wasm", or flags that turn WebGPU on.',
            )
        self._installer.install(progress)
        self._seen = seen
        try:
            yield
        finally:
            self._seen = None

    def fingerprint(self) -> dict[str, Any]:
        """See `Device.fingerprint`: this machine's, and what the browser says of itself."""
        if self._seen is None:
            raise RuntimeError("a browser is measured in within a session")
        host = {
            name: value for name, value in host_probes.fingerprint().items() if name != "python"
        }
        settings = self.settings
        chosen = {"accelerator": settings.accelerator, "flags": settings.flags}
        return {**host, "kind": self.kind, **self._seen, **chosen}

    def conditions(self) -> dict[str, Any]:
        """See `Device.conditions`."""
        return host_probes.conditions()

    @contextmanager
    def start(self, artifact: Artifact, runtime: str, threads: int) -> Iterator[PageProcess]:
        """See `Device.start`; more threads than the machine has would only wait for each other.

        Raises:
            UsageError: ``threads`` are more than that.
            ArtifactError: the artifact is a folder.
        """
        if not artifact.path.is_file():
            raise ArtifactError(f"{artifact.path} is no single file, which a page needs.")
        if threads > (offered := os.cpu_count() or 1):
            raise UsageError(f"This machine runs {offered} threads at once, not {threads}.")
        job = {
            **describe_job(artifact, runtime, threads),
            **self._how(),
            "accelerator": self.settings.accelerator,
            "packages": str(installed_folder()),
        }
        with self._processes.start() as channel:
            label = f"{artifact.path.name} on {runtime} on {self.name}"
            yield PageProcess(channel, job, label)

    def interrupt(self) -> None:
        """See `Device.interrupt`."""
        self._installer.interrupt()
        self._processes.interrupt()

    def checks(self) -> Iterator[Check]:
        """See `Device.checks`."""
        try:
            require("playwright", extra="browser", purpose=_PURPOSE)
            seen = self._look()
        except AffnetError as error:
            yield Check.failed("reachable", error)
            return
        yield Check("reachable", True, f"Chromium {seen['browser']} starts without a window")
        yield _packages_check()
        isolated = bool(seen["cross_origin_isolated"])
        yield Check(
            "cross-origin isolation",
            isolated,
            "pages get threads and a clock of 5 us" if isolated else "pages get no threads",
            None if isolated else "set another browser as the device's executable",
        )
        gpu = seen["gpu"]
        remedy = None if gpu else "set the device's flags, such as --enable-unsafe-webgpu"
        needed = self.settings.accelerator == "webgpu"
        yield Check("WebGPU", bool(gpu), gpu or "no adapter is offered", remedy, needed=needed)

    def _look(self) -> dict[str, Any]:
        """Start a browser and return what its page sees."""
        with self._processes.start() as channel:
            request = {"command": "look", **self._how()}
            answer = ask(channel, f"Looking at {self.name}", request, _SEEN, _LOOK_TIMEOUT_S)
        return {name: answer[name] for name in _SEEN}

    def _how(self) -> dict[str, Any]:
        return {"executable": self.settings.executable, "flags": self.settings.flags}


def _packages_check() -> Check:
    """Look for the runtimes, or for what installs them."""
    packages = ", ".join(f"{name} {version}" for name, version in versions().items())
    if installed_folder().is_dir():
        return Check("runtimes", True, f"{packages} are installed")
    try:
        find_npm()
    except MissingError as error:
        return Check.failed("runtimes", error)
    return Check("runtimes", True, f"{packages} are installed by npm with the first measurement")
