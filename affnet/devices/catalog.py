"""Which device a name stands for: the shipped catalog, the user's own, and addresses.

A catalog is a TOML file with one table for each device::

    [bench-pi]
    kind = "ssh"
    host = "10.0.0.7"
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from affnet.errors import UnknownNameError, UsageError
from affnet.names import split_names
from affnet.reading import existing_file, parse_toml, read_text

if TYPE_CHECKING:  # it needs numpy, which a board may lack that is only looked at
    pass

import dataclasses
import math
import os
import re
import typing
from collections.abc import Mapping
from pathlib import Path

from affnet.devices.base import Device, check_timed
from affnet.devices.registry import DEVICES, device_class
from affnet.errors import CatalogError, first_line

_SHIPPED = Path(__file__).with_name("catalog.toml")
_SSH = re.compile(r"(?P<user>[^@]+)@(?P<host>\[[^\]]+\]|[^@:\[\]]+)(:(?P<port>\d+))?")
# an emulator, a phone over the network, one found by mDNS, one by USB: letters with a digit
_SERIAL = re.compile(r"emulator-\d+|[\w.-]+:\d+|adb-\S+|(?=.*\d)[0-9A-Za-z]{6,}")
_EMULATED = re.compile(r"(?P<base>[^:]+):(?P<cpu>[a-z][\w.-]*)")
_NAMES = {str: "a text", int: "a whole number", bool: "true or false", float: "a number"}


@dataclass(frozen=True)
class Entry:
    """What the catalog says of a device."""

    name: str
    kind: str
    settings: dict[str, Any]


def user_file() -> Path:
    """Return where the user's own catalog stands, if there is one; a Mac uses the same place."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "affnet" / "devices.toml"


def load_catalog(devices_file: Path | None = None) -> dict[str, Entry]:
    """Return the shipped catalog, extended by ``devices_file`` or else by the user's own.

    Raises:
        CatalogError: a file that is no TOML, or describes a device in a way that cannot be.
        UsageError: ``devices_file`` does not exist.
    """
    catalog = _read(_SHIPPED, {})
    if devices_file is not None:
        return _read(existing_file(devices_file, "a catalog of devices (TOML)"), catalog)
    own = user_file()
    return _read(own, catalog) if own.is_file() else catalog


def find(name: str, catalog: Mapping[str, Entry]) -> Entry:
    """Return the entry called ``name``, or one made from an address.

    Addresses are ``user@host``, ``user@host:port``, the serial number of an Android phone, and the
    name of an emulated device with a CPU model, ``arm64:cortex-a53``.

    Raises:
        UnknownNameError: it is neither.
    """
    if name in catalog:
        return catalog[name]
    emulated = _EMULATED.fullmatch(name)
    if emulated and (base := catalog.get(emulated["base"])) and base.kind == "emulated":
        return Entry(name, "emulated", base.settings | {"cpu": emulated["cpu"]})
    if (match := _SSH.fullmatch(name)) and int(match["port"] or 1) in range(1, 65536):
        settings: dict[str, Any] = {"user": match["user"], "host": match["host"].strip("[]")}
        if match["port"]:
            settings["port"] = int(match["port"])
        return Entry(name, "ssh", settings)
    if _SERIAL.fullmatch(name):
        return Entry(name, "adb", {"serial": name})
    raise UnknownNameError("device", name, [*catalog, "user@host", "the serial of a phone"])


def open_devices(names: str, devices_file: Path | None = None, **overrides: Any) -> list[Device]:
    """Return the devices of a list such as ``host,rpi`` to measure on; see `open_device`.

    Raises:
        UsageError: a name that is none, no name at all, or a device whose time says nothing.
    """
    devices = devices_to_prove_on(names, devices_file, **overrides)
    for device in devices:
        check_timed(device)
    return devices


def devices_to_prove_on(
    names: str, devices_file: Path | None = None, **overrides: Any
) -> list[Device]:
    """Return the devices of a list, those that are emulated too; see `open_device`.

    Raises:
        UsageError: a name that is none, or no name at all; as `open_device`.
    """
    catalog = load_catalog(devices_file)
    listed = split_names(names)
    if not listed:
        raise UsageError("--device names no device", "see: affnet devices")
    return [open_device(find(name, catalog), **overrides) for name in listed]


def open_device(entry: Entry, **overrides: Any) -> Device:
    """Return the device of an entry, with some settings of its kind overridden.

    An override that the kind has no setting for, or that is None, is ignored.

    Raises:
        MissingError: its kind is known, but not built yet.
        UsageError: an ``accelerator`` for a kind that has none to choose.
    """
    cls = device_class(entry.kind)
    known = {field.name for field in dataclasses.fields(cls.settings_type)}
    given = {name: value for name, value in overrides.items() if value is not None}
    if "accelerator" in given.keys() - known:
        raise UsageError(f"{entry.name} has no accelerator to choose", "omit --accelerator.")
    chosen = {name: value for name, value in given.items() if name in known}
    device: Device = cls(entry.name, cls.settings_type(**entry.settings | chosen))
    return device


def _read(path: Path, base: Mapping[str, Entry]) -> dict[str, Entry]:
    """Return the entries of ``base``, changed and extended by a file."""
    try:
        tables = parse_toml(read_text(path))
    except OSError as error:
        raise CatalogError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise CatalogError(f"{path} is not valid TOML: {first_line(error)}.") from error
    catalog = dict(base)
    for name, table in tables.items():
        where = f"{path}, [{name}]"
        if not isinstance(table, dict):
            raise CatalogError(f"{path}: {name!r} must be a table, [{name}], with its kind.")
        catalog[name] = _entry(name, table, catalog.get(name), where)
    return catalog


def _entry(name: str, table: Mapping[str, Any], older: Entry | None, where: str) -> Entry:
    settings = dict(table)
    kind = settings.pop("kind", older.kind if older else None)
    kinds = list(DEVICES)
    if kind is None:
        raise CatalogError(f"{where}: it needs a kind: {', '.join(kinds)}.")
    if kind not in kinds:
        raise CatalogError(f"{where}: unknown kind {kind!r}; valid: {', '.join(kinds)}.")
    if older and older.kind == kind:
        settings = older.settings | settings
    _check_settings(settings, device_class(kind).settings_type, where)
    return Entry(name, kind, settings)


def _check_settings(settings: Mapping[str, Any], settings_type: type[Any], where: str) -> None:
    hints = typing.get_type_hints(settings_type)
    for name, value in settings.items():
        if name not in hints:
            raise CatalogError(
                f"{where}: unknown setting {name!r}; valid: kind, {', '.join(sorted(hints))}."
            )
        types = [t for t in typing.get_args(hints[name]) or (hints[name],) if t is not type(None)]
        wanted = " or ".join(_NAMES[t] for t in types)
        taken = (*types, int) if float in types else types
        if type(value) not in taken or value != value:  # not isinstance: true is no whole number
            raise CatalogError(f"{where}: {name} must be {wanted}, not {value!r}.")
        if type(value) in (int, float) and not 0 <= value < math.inf:
            raise CatalogError(f"{where}: {name} must be {wanted} from 0 on, not {value!r}.")
    for field in dataclasses.fields(settings_type):
        if field.default is dataclasses.MISSING and field.name not in settings:
            raise CatalogError(f"{where}: it needs the setting {field.name}.")


def get_device(name: str) -> Device:
    """Return the device to measure on that is called ``name`` in the catalog, or an address of one.

    Raises:
        UsageError: it is none, or its time says nothing.
    """
    device = open_device(find(name, load_catalog()))
    check_timed(device)
    return device
