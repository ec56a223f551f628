"""What measuring by coremltools needs of this machine, and which attached device is meant."""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from affnet.errors import MissingError, UnreachableError, require
from affnet.processes import TooMuchOutputError, run_bounded

LABELS = {"iphone": "iPhone", "ipad": "iPad", "mac": "Mac"}
_XCODE = (
    "install Xcode 15 or later from the App Store, "
    "then run: sudo xcode-select --switch /Applications/Xcode.app"
)
_FIND_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Attached:
    """A device that Xcode has paired, as coremltools reports it."""

    name: str
    type: str
    identifier: str
    udid: str
    os_version: str
    os_build: str
    developer_mode: str
    state: str

    def __str__(self) -> str:
        return f"{self.name} ({LABELS.get(self.type, self.type)}, {self.identifier})"

    def system(self) -> str:
        """Return its system and the build of it."""
        return f"{'iPadOS' if self.type == 'ipad' else 'iOS'} {self.os_version} ({self.os_build})"


def check_mac(kind: str) -> None:
    """Raise `MissingError` unless this machine is a Mac; ``kind`` is what is to be measured."""
    if platform.system() != "Darwin":
        needed = "" if kind == "mac" else f" with Xcode and the {LABELS[kind]} attached"
        raise MissingError(
            f"Measuring by Core ML needs a Mac{needed}, and this machine runs {platform.system()}",
            f"run this command on a Mac{needed}.",
        )


def check_coremltools() -> None:
    """Raise `MissingError` unless coremltools is there."""
    require("coremltools", extra="coreml", purpose="Measuring by Core ML")


def coremltools_folders() -> list[Path]:
    """Return where coremltools is installed, without importing it."""
    found = importlib.util.find_spec("coremltools")
    return [Path(folder) for folder in (found.submodule_search_locations if found else None) or ()]


def check_model_runner() -> None:
    """Raise `MissingError` unless coremltools brings the sources of its model runner."""
    if not any((f / "modelrunner/ModelRunner.xcworkspace").is_dir() for f in coremltools_folders()):
        raise MissingError(
            "This coremltools has no sources of the model runner, which its packages for macOS "
            "bring",
            "run: pip install --force-reinstall 'affnet[coreml]'",
        )


def find_devicectl() -> Path:
    """Return Xcode's ``devicectl``; all of Xcode is there then, not its command line tools alone.

    Raises:
        MissingError: there is none.
    """
    if not (shutil.which("xcodebuild") and (xcrun := shutil.which("xcrun"))):
        raise MissingError("Measuring on an attached device needs Xcode", _XCODE)
    try:
        code, out, _ = run_bounded([xcrun, "--find", "devicectl"], _FIND_TIMEOUT_S)
    except (TimeoutError, TooMuchOutputError):
        raise MissingError("Xcode's xcrun does not answer", _XCODE) from None
    if code or not out.strip():
        raise MissingError("Xcode's devicectl is missing", _XCODE)
    return Path(out.strip())


def select_device(attached: Sequence[Attached], kind: str, wanted: str | None) -> Attached:
    """Return the one device of a ``kind`` that is meant: by name, identifier or UDID if given.

    Raises:
        UnreachableError: none fits or several do, or it cannot be used.
    """
    label = LABELS[kind]
    fitting = [
        device
        for device in attached
        if device.type == kind and wanted in (None, device.name, device.identifier, device.udid)
    ]
    if len(fitting) > 1:  # those that are only remembered do not count
        fitting = [d for d in fitting if d.state == "connected"] or fitting
    if len(fitting) > 1:
        raise UnreachableError(
            f"Several devices fit: {', '.join(map(str, fitting))}",
            f'name one of them in devices.toml: device = "{fitting[0].identifier}"',
        )
    if not fitting and wanted:
        others = ", ".join(map(str, attached)) or "none"
        raise UnreachableError(
            f"The {label} {wanted} is not attached (attached: {others})", "plug it in"
        )
    if not fitting:
        raise UnreachableError(
            f"No {label} is attached", "plug one in, unlock it and confirm 'Trust This Computer'"
        )
    return fitting[0]


def check_usable(device: Attached) -> None:
    """Raise `UnreachableError` unless the device can be used as it is."""
    # coremltools puts these into commands of a shell as they are
    if not all(re.fullmatch(r"[0-9A-Za-z-]+", one) for one in (device.identifier, device.udid)):
        raise UnreachableError(
            f"{device.name} has an identifier that is none: {device.identifier!r}, {device.udid!r}",
            "attach it again",
        )
    if device.developer_mode not in ("enabled", ""):
        raise UnreachableError(
            f"The developer mode of {device.name} is {device.developer_mode}",
            "switch it on there: Settings, Privacy & Security, Developer Mode",
        )
    if device.state != "connected":
        raise UnreachableError(
            f"{device.name} is {device.state} and not connected",
            "unlock it, attach it by cable, "
            "confirm 'Trust This Computer' there, and open Xcode's Devices window once",
        )


def check_signing(name: str, development_team: str | None, profile: str | None) -> None:
    """Raise `MissingError` unless the model runner can be signed for a device."""
    if not (development_team or profile):
        raise MissingError(
            "Running a program on an iPhone or iPad needs a signature",
            "put the identifier of your "
            f'team into [{name}] of devices.toml: development_team = "ABCDE12345"',
        )
