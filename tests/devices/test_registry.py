"""Kinds of devices and what they declare."""

from __future__ import annotations

import pytest

from affnet.devices.catalog import get_device
from affnet.devices.registry import DEVICES, device_class
from affnet.errors import UnknownNameError, UsageError
from affnet.runtimes import RUNTIMES, get_runtime


@pytest.mark.parametrize("kind", DEVICES)
def test_a_kind_declares_itself_and_runtimes_with_their_formats(kind: str) -> None:
    declared = device_class(kind)
    assert declared.kind == kind
    assert set(declared.capabilities.runtimes) <= set(RUNTIMES)
    formats = {get_runtime(name).format for name in declared.capabilities.runtimes}
    assert set(declared.capabilities.formats) == formats
    assert "cpu" in declared.capabilities.accelerators


def test_a_device_is_got_by_its_name() -> None:
    assert (get_device("host").kind, get_device("host").name) == ("host", "host")


def test_a_runtime_that_a_kind_does_not_run_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^fake does not run tensorrt; choose another runtime"):
        get_device("fake").check_runtime("tensorrt")


def test_an_unknown_device_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(UnknownNameError) as info:
        get_device("toaster")
    assert str(info.value) == (
        "Unknown device 'toaster'; valid: host, fake, arm64, rpi, jetson, pixel, pixel-8, galaxy, "
        "iphone, ipad, mac, browser, user@host, the serial of a phone."
    )


def test_an_unknown_kind_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(
        UnknownNameError, match=r"^Unknown kind of device 'toaster'; valid: adb, aihub, "
    ):
        device_class("toaster")
