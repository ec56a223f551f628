"""Running files on an emulated processor, with a script in QEMU's place."""

from __future__ import annotations

import platform
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from affnet.artifact import Artifact
from affnet.devices.base import check_timed
from affnet.devices.catalog import devices_to_prove_on, find, get_device, load_catalog, open_devices
from affnet.devices.doctor import probe_all
from affnet.devices.emulated.cpus import CPUS, features, qemu_model
from affnet.devices.emulated.device import EmulatedDevice, EmulatedSettings
from affnet.devices.emulated.root import RUNTIMES
from affnet.devices.inference import open_session
from affnet.devices.worker import channel
from affnet.errors import MeasurementError, UnknownNameError, UsageError
from affnet.runtimes import get_runtime
from tests.devices.emulated.stub_root import image, put_stub_root, square_file


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, on a machine that is not itself Arm."""
    monkeypatch.setenv("AFFNET_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    return tmp_path / "cache"


@pytest.fixture
def file(tmp_path: Path) -> Artifact:
    return square_file(tmp_path)


def test_a_file_gives_there_what_its_runtime_gives(file: Artifact) -> None:
    put_stub_root()
    with open_session(EmulatedDevice(), file) as session:
        (found,) = session.run(image(0.5))
        assert session.runtime == f"onnxruntime {get_runtime('onnxruntime').version()}"
    (expected,) = get_runtime("onnxruntime").load(file.path, threads=1).run(image(0.5))
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_a_colon_names_another_cpu_model() -> None:
    devices = devices_to_prove_on("arm64,arm64:cortex-a53")
    assert [device.address() for device in devices] == [
        "emulated cortex-a76",
        "emulated cortex-a53",
    ]
    for cpu in CPUS:
        assert find(f"arm64:{cpu}", load_catalog()).settings["cpu"] == cpu
    assert qemu_model("armv8.6") == "max,sve=off,sme=off"
    with pytest.raises(UnknownNameError) as info:
        devices_to_prove_on("arm64:cortex-a7")
    assert str(info.value) == (
        "Unknown CPU model 'cortex-a7'; valid: cortex-a53, cortex-a76, armv8.6, neoverse-v1, max."
    )


def test_on_an_arm_machine_it_is_the_machine_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert EmulatedDevice().address() == "this machine"
    (step, *_) = EmulatedDevice().checks()
    assert (step.passed, step.detail) == (True, "this machine is itself Arm")
    other = EmulatedDevice("arm64:max", EmulatedSettings(cpu="max"))
    (step,) = other.checks()
    assert not step.passed
    assert step.detail.startswith("QEMU emulates a processor for programs on Linux only")


def test_emulated_time_is_refused() -> None:
    for opened in (open_devices, get_device):
        with pytest.raises(UsageError, match="arm64 is emulated, and its time is no device's"):
            opened("arm64")
    check_timed(get_device("fake"))


def test_the_doctor_says_what_the_processor_has() -> None:
    folder = put_stub_root()
    steps = list(EmulatedDevice().checks())
    assert [step.step for step in steps] == ["reachable", "system", "CPU", *RUNTIMES]
    assert steps[0].detail == "cortex-a76, emulated by QEMU 10.0.13"
    assert str(folder) in steps[1].detail
    assert steps[3].detail == get_runtime("onnxruntime").version()


def test_the_list_of_devices_makes_no_system(cache: Path) -> None:
    (status,) = probe_all([load_catalog()["arm64"]])
    assert status.reachable == (shutil.which("apt-get") is not None)
    assert not cache.exists()


def test_features_are_those_that_kernels_differ_by() -> None:
    assert features(["fp", "asimd", "aes", "fphp", "asimdhp", "asimddp"]) == (
        "NEON",
        "float16 arithmetic",
        "dot product",
    )


def test_an_illegal_instruction_names_the_processor_and_the_runtime(file: Artifact) -> None:
    put_stub_root("kill -ILL $$")
    device = EmulatedDevice("arm64:cortex-a53", EmulatedSettings(cpu="cortex-a53"))
    version = get_runtime("onnxruntime").version()
    with pytest.raises(MeasurementError) as info, _opened(device, file):
        pass
    assert str(info.value) == (
        f"onnxruntime {version} ran an instruction that cortex-a53, emulated by QEMU lacks, with "
        "square.onnx; prove the file on another CPU model; on such a device it would crash too."
    )


def test_a_process_that_hangs_is_stopped(file: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    put_stub_root("exec sleep 60")
    monkeypatch.setattr(channel, "ANSWER_TIMEOUT_S", 0.3)
    with (
        pytest.raises(MeasurementError, match=r"on onnxruntime on arm64 gave no answer"),
        _opened(EmulatedDevice(), file),
    ):
        pass


def _opened(device: EmulatedDevice, file: Artifact) -> AbstractContextManager[object]:
    return open_session(device, file)
