"""Phones that cannot be used: one sentence and the right exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from affnet.devices.android.adb_client import Listed, check_state, parse_devices
from affnet.errors import CatalogError, UnreachableError
from tests.conftest import Finished
from tests.devices.android.phones import Attached

Run = Callable[..., Finished]


def test_without_adb_the_command_that_installs_it_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    done = run("bench", "digits", "--device", "pixel", "--runtime", "litert")
    assert (done.code, done.error) == (
        3,
        "Measuring on an Android phone needs adb, which is not installed; "
        "run: sudo apt-get install adb",
    )
    doctor = run("devices", "doctor", "pixel")
    assert doctor.code == 3
    assert "fix: sudo apt-get install adb" in doctor.out


def test_a_phone_has_no_core_ml(run: Run) -> None:
    done = run("bench", "digits", "--device", "pixel", "--runtime", "coreml")
    assert (done.code, done.error) == (
        2,
        "pixel does not run coreml; choose another runtime: executorch, litert, mnn, ncnn, "
        "onnxruntime.",
    )


def test_no_phone(attached: Attached) -> None:
    error = attached.failing()
    assert isinstance(error, UnreachableError)
    assert error.exit_code == 3
    assert str(error).startswith("No Android phone is attached; plug one in, and enable USB")


def test_a_phone_that_is_not_attached(attached: Attached) -> None:
    serial = attached.attach().serial
    error = attached.failing(serial="8A1X0ABCD")
    assert str(error) == f"The phone 8A1X0ABCD is not attached (attached: {serial}); plug it in"
    error = attached.failing(manufacturer="samsung")
    assert str(error) == (
        f"None of the attached phones is the samsung phone; attached: {serial} (Google Pixel 8)."
    )


def test_an_unauthorised_phone(attached: Attached) -> None:
    found = attached.attach(authorised=False)
    assert f"{found.serial}\tunauthorized" in attached.adb("devices")
    for settings in ({}, {"serial": found.serial}, {"manufacturer": "Google"}):
        error = attached.failing(**settings)
        assert isinstance(error, UnreachableError)
        assert str(error) == (
            f"The phone {found.serial} has not authorized this computer; unlock it and confirm "
            "'Allow USB debugging' on its screen."
        )


def test_two_phones_and_none_named(attached: Attached) -> None:
    one, two = attached.attach(), attached.attach(model="Pixel 7")
    error = attached.failing(manufacturer="Google")
    assert error.exit_code == 3
    assert f"{one.serial} (Pixel 8)" in str(error)
    assert f"{two.serial} (Pixel 7)" in str(error)
    assert "; name one by its serial number as the device, such as 127.0.0.1:" in str(error)


def test_states_in_which_a_phone_cannot_be_used() -> None:
    text = (
        "* daemon started successfully\nList of devices attached\nA\tdevice\nB\toffline\n"
        "C\tno permissions (user in plugdev group; are your udev rules wrong?); see [http://x]\n"
        "D\trecovery\n\n"
    )
    good, offline, forbidden, recovery = parse_devices(text)
    assert good == Listed("A", "device")
    check_state(good)
    for phone_, remedy in (
        (offline, "is offline; plug it in again, or run: adb -s B reconnect"),
        (forbidden, "run: sudo apt-get install android-sdk-platform-tools-common"),
        (recovery, "is in the state 'recovery'; start it into Android."),
    ):
        with pytest.raises(UnreachableError) as info:
            check_state(phone_)
        assert str(info.value).endswith(remedy)


def test_settings_that_cannot_be(attached: Attached) -> None:
    for settings in ({"accelerator": "npu"}, {"cores": "0-3"}, {"folder": "/data/a,b"}):
        with pytest.raises(CatalogError):
            attached.device(**settings)
