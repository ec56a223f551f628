"""What goes wrong with Apple's devices: one sentence, the right exit code, nothing left running."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from affnet.bench.measurement.interleaved import label_jobs, measure
from affnet.devices.apple import discovery
from affnet.devices.apple import process as coreml_process
from affnet.devices.apple.discovery import check_model_runner
from affnet.devices.catalog import open_devices
from affnet.devices.worker import channel
from affnet.errors import CatalogError, MeasurementError, MissingError
from tests.conftest import Finished
from tests.devices.apple.apple_devices import SHORT, Mac, an_iphone

pytestmark = pytest.mark.converters

Run = Callable[..., Finished]


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("iphone", "a Mac with Xcode and the iPhone attached"),
        ("ipad", "a Mac with Xcode and the iPad attached"),
        ("mac", "a Mac"),
    ],
)
def test_another_system_says_what_is_needed(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, needed: str
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    done = run("bench", "digits", "--device", name, "--runtime", "coreml")
    assert (done.code, done.error) == (
        3,
        f"Measuring by Core ML needs {needed}, and this machine runs Linux; "
        f"run this command on {needed}.",
    )
    doctor = run("devices", "doctor", name)
    assert doctor.code == 3
    assert f"fix: run this command on {needed}." in doctor.out


def test_it_runs_core_ml_only(run: Run) -> None:
    done = run("bench", "digits", "--device", "iphone", "--runtime", "onnxruntime")
    assert (done.code, done.error) == (
        2,
        "iphone does not run onnxruntime; choose another runtime: coreml.",
    )


def test_compute_units_that_there_are_not() -> None:
    with pytest.raises(CatalogError) as caught:
        open_devices("iphone", compute_units="npu")
    assert str(caught.value) == (
        "iphone: compute_units must be one of all, cpu_only, cpu_and_gpu, cpu_and_ne."
    )


def test_a_type_that_there_is_not(mac: Mac) -> None:
    with pytest.raises(CatalogError, match="type must be iphone, ipad or mac"):
        mac.device(type="watch")


def test_without_coremltools(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coremltools", None)
    error = mac.failing()
    assert error.exit_code == 3
    assert str(error).endswith("is not installed; run: pip install 'affnet[coreml]'")


@pytest.mark.parametrize("tool", ["xcodebuild", "xcrun"])
def test_without_xcode(mac: Mac, tool: str) -> None:
    (mac.folder / "bin" / tool).unlink()
    error = mac.failing()
    assert error.exit_code == 3
    assert str(error).startswith("Measuring on an attached device needs Xcode; install Xcode 15")
    failed = [check for check in mac.device().checks() if not check.passed]
    assert [check.step for check in failed] == ["reachable", "Xcode"]
    assert failed[1].remedy is not None
    assert failed[1].remedy.startswith("install Xcode 15 or later from the App Store, then run: ")


def test_with_the_command_line_tools_alone(mac: Mac) -> None:
    (mac.folder / "bin" / "xcrun").write_text("#!/bin/sh\nexit 72\n")
    assert str(mac.failing()).startswith("Xcode's devicectl is missing; install Xcode 15")


def test_a_coremltools_without_the_model_runner(
    mac: Mac, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(discovery, "coremltools_folders", lambda: [tmp_path])
    with pytest.raises(MissingError, match="no sources of the model runner"):
        check_model_runner()
    assert mac.failing().exit_code == 3


def test_no_signature(mac: Mac) -> None:
    error = mac.failing(development_team=None)
    assert error.exit_code == 3
    assert "put the identifier of your team into [iphone] of devices.toml" in str(error)
    failed = [c.step for c in mac.device(development_team=None).checks() if not c.passed]
    assert failed == ["reachable", "signature"]
    assert mac.log("prepare") == []


@pytest.mark.parametrize(
    ("devices", "settings", "sentence"),
    [
        ([], {}, "No iPhone is attached; plug one in, unlock it and confirm 'Trust This Computer'"),
        (
            [an_iphone(1, type="ipad")],
            {"device": "Ada"},
            "The iPhone Ada is not attached (attached: Phone 1 (iPad, ID-1)); plug it in",
        ),
        (
            [an_iphone(1), an_iphone(2)],
            {},
            "Several devices fit: Phone 1 (iPhone, ID-1), Phone 2 (iPhone, ID-2); name one of them "
            'in devices.toml: device = "ID-1"',
        ),
        (
            [an_iphone(1, developer_mode_state="disabled")],
            {},
            "The developer mode of Phone 1 is disabled; switch it on there: Settings, Privacy & "
            "Security, Developer Mode",
        ),
        (
            [an_iphone(1, state="unavailable")],
            {},
            "Phone 1 is unavailable and not connected; unlock it, attach it by cable, confirm "
            "'Trust This Computer' there, and open Xcode's Devices window once",
        ),
    ],
)
def test_devices_that_cannot_be_meant_or_used(
    mac: Mac, devices: list[dict[str, str]], settings: dict[str, str], sentence: str
) -> None:
    mac.devices = devices
    mac.play()
    error = mac.failing(**settings)
    assert (str(error), error.exit_code) == (sentence, 3)
    last = list(mac.device(**settings).checks())[-1]
    assert (last.step, last.passed) == ("device", False)
    assert f"{last.detail}; {last.remedy}" == sentence


def test_a_device_that_is_only_remembered_does_not_count(mac: Mac) -> None:
    mac.devices = [an_iphone(1, state="unavailable"), an_iphone(2)]
    mac.play()
    with mac.device().session("coreml"):
        assert mac.log("prepare")[0]["device"] == "ID-2"


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        (
            "devicectl",
            "ERROR: The device is locked.\nmore\n",
            "Phone 1 cannot run the model runner: The device is locked; unlock it and leave its "
            "screen on",
        ),
        (
            "xcodebuild",
            "Building\n/x.xcodeproj: error: No Account for Team TEAM, no signing.\n** FAILED **\n",
            "Phone 1 cannot run the model runner: /x.xcodeproj: error: No Account for Team TEAM, "
            "no signing; name a team that may sign: development_team in devices.toml",
        ),
        ("value", "odd", "Phone 1 cannot run the model runner: odd."),
    ],
)
def test_a_model_runner_that_cannot_be_launched(
    mac: Mac, kind: str, text: str, sentence: str
) -> None:
    mac.play(prepare={"kind": kind, "text": text})
    error = mac.failing()
    assert (str(error), error.exit_code) == (sentence, 3)


def test_a_model_runner_that_ends_at_once(mac: Mac, tiny_coreml: Artifact) -> None:
    mac.play(load={"kind": "lost", "text": "ERROR: no such container"})
    error = mac.failing(tiny_coreml)
    assert (str(error), error.exit_code) == (
        "Phone 1 ended the model runner at its launch (no such container); unlock it and leave its "
        "screen on, and trust the developer there: Settings, General, VPN & Device Management.",
        3,
    )


@pytest.mark.parametrize(
    "setting", ["development_team", "provisioning_profile", "bundle_identifier"]
)
def test_settings_that_a_shell_would_read_are_refused(mac: Mac, setting: str) -> None:
    with pytest.raises(CatalogError, match=f"is no {setting.replace('_', ' ')}"):
        mac.device(**{setting: "A; touch /tmp/x"})


def test_an_identifier_that_a_shell_would_read_is_refused(mac: Mac) -> None:
    mac.devices = [an_iphone(1, udid="$(touch x)")]
    mac.play()
    error = mac.failing()
    assert "has an identifier that is none" in str(error)
    assert mac.log("prepare") == []


def test_devices_that_cannot_be_listed(mac: Mac) -> None:
    mac.play(list={"kind": "devicectl", "text": "ERROR: no CoreDevice"})
    error = mac.failing()
    assert str(error) == "Xcode cannot list the attached devices: no CoreDevice."
    assert error.exit_code == 3


@pytest.mark.parametrize(
    ("step", "fault", "sentence", "code"),
    [
        (
            "load",
            {"kind": "runner", "text": "unsupported opset"},
            "Core ML on Phone 1 rejects {path}: unsupported opset.",
            2,
        ),
        ("load", {"kind": "value", "text": "Failed"}, "Core ML on Phone 1 rejects {path}: F", 2),
        (
            "load",
            {"kind": "devicectl", "text": "ERROR: no file"},
            "Measuring on Phone 1 failed: no file.",
            1,
        ),
        (
            "predict",
            {"kind": "lost", "text": "ERROR: gone", "from_call": 2},
            "Phone 1 was lost while it was in use (gone); attach it again, and keep it unlocked.",
            1,
        ),
        (
            "predict",
            {"kind": "value", "text": "odd", "from_call": 2},
            "Measuring on Phone 1 failed: odd.",
            1,
        ),
        (
            "predict",
            {"kind": "crash", "from_call": 2},
            "Measuring {name} on coreml on iphone ended with signal 6: ",
            1,
        ),
    ],
)
def test_faults_of_a_measurement(
    mac: Mac,
    tiny_coreml: Artifact,
    step: str,
    fault: dict[str, object],
    sentence: str,
    code: int,
) -> None:
    mac.play(**{step: fault})
    error = mac.failing(tiny_coreml)
    path = tiny_coreml.path
    assert str(error).startswith(sentence.format(path=path, name=path.name))
    assert error.exit_code == code


def test_a_model_that_core_ml_refuses_leaves_the_device_usable(
    mac: Mac, tiny_coreml: Artifact
) -> None:
    mac.play(load={"kind": "runner", "text": "no", "from_call": 2})
    device = mac.device()
    with device.session("coreml"), device.start(tiny_coreml, "coreml", 1) as good:
        with pytest.raises(Exception, match="rejects"):
            device.start(tiny_coreml, "coreml", 1).__enter__()
        assert len(good.run(2)) == 2


def test_a_plan_that_is_not_told_costs_no_latencies(mac: Mac, tiny_coreml: Artifact) -> None:
    mac.compute(tiny_coreml)
    mac.play(plan={"kind": "value", "text": "unavailable"})
    device = mac.device()
    with device.session("coreml"):
        (result,) = measure(label_jobs([tiny_coreml], "coreml"), device, SHORT, threads=1)
    assert result.placement is None
    assert result.runs >= 8
    assert result.limits[-1] == ("Core ML did not report what runs where: unavailable")


def test_a_device_that_hangs(
    mac: Mac, tiny_coreml: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "RUN_TIMEOUT_S", 1.0)
    mac.play(predict={"kind": "hang", "from_call": 2})
    begun = time.monotonic()
    error = mac.failing(tiny_coreml)
    assert str(error).endswith("on iphone gave no answer for 1 s; it was stopped.")
    assert error.exit_code == 1
    assert time.monotonic() - begun < 60


def test_a_build_that_hangs(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coreml_process, "PREPARE_TIMEOUT_S", 1.0)
    mac.play(prepare={"kind": "hang"})
    assert str(mac.failing()) == "Measuring iphone gave no answer for 1 s; it was stopped."


def test_an_interruption_leaves_nothing(mac: Mac, tiny_coreml: Artifact) -> None:
    mac.play(predict={"kind": "hang", "from_call": 2})
    device = mac.device()

    def interrupt() -> None:
        while not mac.log("hangs"):
            time.sleep(0.05)
        device.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with (
            pytest.raises(MeasurementError, match="signal 9"),
            device.session("coreml"),
            device.start(tiny_coreml, "coreml", 1) as process,
        ):
            process.run(3)
    finally:
        thread.join()
    assert mac.left_behind() == []


def test_ctrl_c_within_a_session_leaves_nothing(mac: Mac) -> None:
    with pytest.raises(KeyboardInterrupt), mac.device().session("coreml"):
        assert mac.left_behind() != []
        raise KeyboardInterrupt
    assert mac.left_behind() == []
    assert len(mac.log("stop")) == 1
