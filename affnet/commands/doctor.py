"""``affnet doctor``."""

from __future__ import annotations

from typing import Annotated

import typer

from affnet import __version__
from affnet.commands import devices
from affnet.commands.options import DevicesFileOption, JsonOption


def doctor(
    name: Annotated[
        str | None,
        typer.Argument(help="A device, as of affnet devices doctor.  Default: this installation."),
    ] = None,
    devices_file: DevicesFileOption = None,
    json: JsonOption = False,
) -> None:
    """Say what of affnet is installed and what is missing; exit code 3 if it cannot work.

    Python, packages, extras, runtimes, tools of devices, cache and disk, in a second: no runtime
    is imported and no device is asked, which affnet devices does.

    Example: affnet doctor
    """
    if name is not None:
        devices.doctor(name, devices_file, json)
        return
    from affnet import installed
    from affnet.devices.installation import checks

    record = {"affnet": __version__}
    if json:
        record |= installed.record()
    devices.report(checks(devices_file), record, json)
