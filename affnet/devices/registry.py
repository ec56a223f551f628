"""The kinds of devices."""

from __future__ import annotations

import importlib
from typing import Any

from affnet.errors import UnknownNameError

DEVICES: dict[str, str] = {
    "adb": "affnet.devices.android.device:AdbDevice",
    "aihub": "affnet.devices.aihub.device:AihubDevice",
    "browser": "affnet.devices.browser.device:BrowserDevice",
    "emulated": "affnet.devices.emulated.device:EmulatedDevice",
    "fake": "affnet.devices.fake:FakeDevice",
    "host": "affnet.devices.host:HostDevice",
    "ios": "affnet.devices.apple.device:IosDevice",
    "labgrid": "affnet.devices.labgrid.device:LabgridDevice",
    "ssh": "affnet.devices.ssh.device:SshDevice",
}


def device_class(kind: str) -> type[Any]:
    """Return the class of a kind of device.

    Raises:
        UnknownNameError: there is no such kind.
    """
    if kind not in DEVICES:
        raise UnknownNameError("kind of device", kind, list(DEVICES))
    module, _, attribute = DEVICES[kind].partition(":")
    found: type[Any] = getattr(importlib.import_module(module), attribute)
    return found
