"""Finding a device by its name."""

from __future__ import annotations

import pytest

from affnet.devices import DEVICES, get_device
from affnet.errors import UnknownNameError


@pytest.mark.parametrize("name", DEVICES)
def test_a_registered_device_says_its_kind(name: str) -> None:
    assert get_device(name).kind == name


def test_an_unknown_device_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(UnknownNameError) as info:
        get_device("toaster")
    assert str(info.value) == f"Unknown device 'toaster'; valid: {', '.join(DEVICES)}."
