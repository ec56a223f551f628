"""Runs that hang, are interrupted or lose their phone end, and leave nothing there."""

from __future__ import annotations

import signal
import subprocess
import threading
import time

import pytest

from affnet.artifact import Artifact
from affnet.devices.android.tools import process as tool_process
from affnet.errors import ConnectionLostError, MeasurementError
from affnet.processes import module_command, module_environment
from tests.devices.android.phones import Attached

HANGS = "while :; do :; done"  # as one process, like the tool


@pytest.mark.converters
def test_a_runner_that_hangs_is_ended(
    attached: Attached, tiny_tflite: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    attached.attach()
    monkeypatch.setattr(tool_process, "RUN_TIMEOUT_S", 1.0)
    device = attached.device()
    attached.runner(HANGS)
    with device.session("litert"):
        with (
            pytest.raises(MeasurementError, match="gave no answer for 1 s; it was stopped"),
            device.start(tiny_tflite, "litert", 1),
        ):
            pass
        deadline = time.monotonic() + 5  # ended while the session goes on
        while any("--graph" in line for line in attached._left()):
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.converters
def test_a_phone_that_is_lost_during_a_run(attached: Attached, tiny_tflite: Artifact) -> None:
    found = attached.attach()
    device = attached.device()
    attached.runner(HANGS)
    threading.Timer(1.5, found.lose).start()
    with (
        pytest.raises(ConnectionLostError, match=r"^The connection to the phone .* was lost: "),
        device.session("litert"),
        device.start(tiny_tflite, "litert", 1),
    ):
        pass
    assert attached.left_behind() == []


@pytest.mark.converters
def test_an_interruption_leaves_nothing(attached: Attached, tiny_tflite: Artifact) -> None:
    attached.attach()
    device = attached.device()
    attached.runner(HANGS)
    threading.Timer(1.5, device.interrupt).start()
    begun = time.monotonic()
    with (
        pytest.raises(MeasurementError),
        device.session("litert"),
        device.start(tiny_tflite, "litert", 1),
    ):
        pass
    assert time.monotonic() - begun < 30
    assert attached.left_behind() == []


@pytest.mark.converters
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_command_that_is_ended_leaves_nothing_on_the_phone(
    attached: Attached, tiny_tflite: Artifact, sent: signal.Signals
) -> None:
    found = attached.attach()
    process = subprocess.Popen(
        [
            *module_command("affnet.cli"), "bench", str(tiny_tflite.path), "--device",
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
