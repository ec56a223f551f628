"""What goes wrong with phones: one sentence, the right exit code, and nothing left there."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from affnet.artifact import Artifact
from affnet.devices.android.adb_client import Listed, check_state, parse_devices
from affnet.devices.android.tools import process as tool_process
from affnet.errors import (
    CatalogError,
    ConnectionLostError,
    DeviceSpaceError,
    MeasurementError,
    MissingError,
    UnreachableError,
    UsageError,
)
from affnet.processes import module_command, module_environment
from tests.conftest import Finished
from tests.devices.android.phones import Attached

Run = Callable[..., Finished]
HANGS = "while :; do :; done"  # as one process, like the tool


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
        "pixel does not run coreml; choose another --runtime: executorch, litert, onnxruntime.",
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
    assert "; name one by its serial number: --device 127.0.0.1:" in str(error)


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


@pytest.mark.converters
def test_a_phone_that_is_lost_during_a_push(attached: Attached) -> None:
    attached.attach(lost_during_push=True)
    error = attached.failing()
    assert isinstance(error, ConnectionLostError)
    assert error.exit_code == 1


@pytest.mark.converters
def test_a_phone_that_is_lost_during_a_run(attached: Attached, digits_tflite: Artifact) -> None:
    found = attached.attach()
    device = attached.device()
    attached.runner(HANGS)
    threading.Timer(1.5, found.lose).start()
    with (
        pytest.raises(ConnectionLostError, match=r"^The connection to the phone .* was lost: "),
        device.session("litert"),
        device.start(digits_tflite, "litert", 1),
    ):
        pass
    assert attached.left_behind() == []


def test_no_space_before_the_push(attached: Attached) -> None:
    found = attached.attach()
    found.script("df", "printf 'head\\n/dev/block 1000 900 10000 99%% /data\\n'")
    error = attached.failing()
    assert isinstance(error, DeviceSpaceError)
    assert "has 10 MB free, but benchmark_model needs 20 MB; free some." in str(error)


def test_no_space_and_no_rights_during_the_push(attached: Attached) -> None:
    found = attached.attach(push_error="No space left on device")
    error = attached.failing()
    assert isinstance(error, DeviceSpaceError)
    assert (
        str(error) == f"The phone {found.serial} has no space left for benchmark_model; free some."
    )
    found.push_error = "Permission denied"
    error = attached.failing()
    assert isinstance(error, MeasurementError)
    assert str(error) == (
        f"The phone {found.serial} did not take benchmark_model: Permission denied."
    )


def test_a_folder_that_cannot_be_made(attached: Attached) -> None:
    attached.attach()
    error = attached.failing(folder="/data/local/tmp/none")
    assert str(error).startswith("No folder can be made in /data/local/tmp/none on the phone ")


def test_no_runner(attached: Attached, tmp_path: object) -> None:
    attached.attach()
    error = attached.failing(runner=str(tmp_path))
    assert isinstance(error, UsageError)
    assert "holds no benchmark_model; fetch https://storage.googleapis.com/litert/" in str(error)


@pytest.mark.converters
@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        ("exit 126", MissingError, "cannot be run on the phone"),
        ("kill -SEGV $$", MeasurementError, "ended with signal 11: "),
        ("echo 'ERROR: no such op'; echo 'ERROR: failed'; exit 1", MeasurementError,
         "ended with exit code 1: no such op"),
        ("echo hello; echo '<html>'", MeasurementError,
         "answered with nonsense (it reports no initialization, warm-up and measurement): "
         "'<html>'."),
    ],
)  # fmt: skip
def test_runners_that_fail(
    attached: Attached,
    digits_tflite: Artifact,
    body: str,
    kind: type[Exception],
    sentence: str,
) -> None:
    attached.attach()
    device = attached.device()
    attached.runner(body)
    with (
        pytest.raises(kind) as info,
        device.session("litert"),
        device.start(digits_tflite, "litert", 1),
    ):
        pass
    assert sentence in str(info.value)
    assert "\n" not in str(info.value)
    assert getattr(info.value, "exit_code", 0) == (3 if kind is MissingError else 1)


_FINE = "printf 'Initialized session in 1ms\\ncount=1 curr=9\\ncount=1 curr=9\\n'"


@pytest.mark.converters
@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        (_FINE, MeasurementError, "answered with nonsense (it wrote no outputs): 'count=1 curr=9'"),
        (
            'for a in "$@"; do case "$a" in --output_filepath=*) printf 123 >"${a#*=}";; esac; '
            f"done; {_FINE}",
            MeasurementError,
            "answered with nonsense (its outputs are of another size): '3 bytes'.",
        ),
        (
            f'case "$*" in *--output_filepath*) kill -SEGV $$;; esac; {_FINE}',
            MeasurementError,
            "signal 11",
        ),
        (f'rm "$0"; {_FINE}', MissingError, "cannot be run on"),
    ],
)
def test_outputs_that_cannot_be_had(
    attached: Attached, digits_tflite: Artifact, body: str, kind: type[Exception], sentence: str
) -> None:
    attached.attach()
    device = attached.device()
    attached.runner(body)
    with (
        device.session("litert"),
        device.start(digits_tflite, "litert", 1) as process,
        pytest.raises(kind) as info,
    ):
        process.outputs()
    assert sentence in str(info.value)
    assert "\n" not in str(info.value)


@pytest.mark.converters
def test_no_space_for_the_reference_image(attached: Attached, digits_tflite: Artifact) -> None:
    found = attached.attach()
    device = attached.device()
    with device.session("litert"), device.start(digits_tflite, "litert", 1) as process:
        found.script("df", "printf 'head\\n/dev/block 1000 900 10000 99%% /data\\n'")
        with pytest.raises(DeviceSpaceError, match="has 10 MB free, but image needs 20 MB"):
            process.outputs()


@pytest.mark.converters
def test_a_phone_that_is_lost_before_its_outputs_are_fetched(
    attached: Attached, digits_tflite: Artifact
) -> None:
    found = attached.attach()
    device = attached.device()
    with (
        pytest.raises(ConnectionLostError),
        device.session("litert"),
        device.start(digits_tflite, "litert", 1) as process,
    ):
        found.lose()
        process.outputs()


@pytest.mark.converters
@pytest.mark.parametrize(
    ("rows", "kind", "sentence"),
    [
        ("", MissingError, "reports no times of operators: it was built without its profiler."),
        ("=== Run Order ===\\n[Name]\\nCONV lots\\n", MeasurementError,
         "answered with nonsense (a row of its profile is 'CONV lots')"),
    ],
)  # fmt: skip
def test_profiles_that_are_none(
    attached: Attached, digits_tflite: Artifact, rows: str, kind: type[Exception], sentence: str
) -> None:
    attached.attach()
    device = attached.device()
    attached.runner(f"{_FINE}; printf '{rows}'")
    with (
        device.session("litert"),
        device.start(digits_tflite, "litert", 1) as process,
        pytest.raises(kind) as info,
    ):
        process.profile(3)
    assert sentence in str(info.value)


@pytest.mark.converters
def test_a_runner_of_another_machine_is_not_executable(
    attached: Attached, digits_tflite: Artifact
) -> None:
    attached.attach()
    device = attached.device()
    (attached.runner() / "benchmark_model").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(57))
    with (
        pytest.raises(MissingError, match=r"cannot be run on the phone .*--runner-dir$"),
        device.session("litert"),
        device.start(digits_tflite, "litert", 1),
    ):
        pass


@pytest.mark.converters
def test_a_runner_that_hangs_is_ended(
    attached: Attached, digits_tflite: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    attached.attach()
    monkeypatch.setattr(tool_process, "RUN_TIMEOUT_S", 1.0)
    device = attached.device()
    attached.runner(HANGS)
    with device.session("litert"):
        with (
            pytest.raises(MeasurementError, match="gave no answer for 1 s; it was stopped"),
            device.start(digits_tflite, "litert", 1),
        ):
            pass
        deadline = time.monotonic() + 5  # ended while the session goes on
        while any("--graph" in line for line in attached._left()):
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.converters
def test_an_interruption_leaves_nothing(attached: Attached, digits_tflite: Artifact) -> None:
    attached.attach()
    device = attached.device()
    attached.runner(HANGS)
    threading.Timer(1.5, device.interrupt).start()
    begun = time.monotonic()
    with (
        pytest.raises(MeasurementError),
        device.session("litert"),
        device.start(digits_tflite, "litert", 1),
    ):
        pass
    assert time.monotonic() - begun < 30
    assert attached.left_behind() == []


def test_settings_that_cannot_be(attached: Attached) -> None:
    for settings in ({"accelerator": "npu"}, {"cores": "0-3"}, {"folder": "/data/a,b"}):
        with pytest.raises(CatalogError):
            attached.device(**settings)


@pytest.mark.converters
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_command_that_is_ended_leaves_nothing_on_the_phone(
    attached: Attached, digits_tflite: Artifact, sent: signal.Signals
) -> None:
    found = attached.attach()
    process = subprocess.Popen(
        [
            *module_command("affnet.cli"), "bench", str(digits_tflite.path), "--device",
            found.serial, "--runtime", "litert", "--runner-dir", str(attached.runner(HANGS)),
        ],
        env=module_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not list(found.temporary.glob("affnet-*/*.pid")):  # it runs
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(sent)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert b"Traceback" not in err
    assert attached.left_behind() == []
