"""The installed coremltools without a Mac, with scripts in the place of Xcode's tools."""

from __future__ import annotations

import asyncio
import importlib
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from affnet.artifact import Artifact
from affnet.devices.apple.coreml_benchmarker import Benchmark
from affnet.devices.apple.discovery import Attached
from affnet.devices.apple.process import open_service
from affnet.devices.apple.service import complaint
from affnet.errors import UnreachableError
from affnet.runtimes import get_runtime
from affnet.runtimes.coreml import quiet_coremltools

pytestmark = pytest.mark.converters


def told(identifier: str, kind: str, state: str) -> dict[str, object]:
    """A device as ``devicectl list devices`` tells it."""
    return {
        "identifier": identifier,
        "deviceProperties": {
            "name": f"Ada's {kind}",
            "osVersionNumber": "18.5",
            "osBuildUpdate": "22F76",
            "developerModeStatus": "enabled",
        },
        "hardwareProperties": {"deviceType": kind, "udid": f"UDID-{identifier}"},
        "connectionProperties": {"tunnelState": state},
    }


@pytest.fixture
def xcode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of Xcode's tools, which is not on PATH but for xcrun."""
    folder, path = tmp_path / "Xcode", tmp_path / "bin"
    folder.mkdir()
    path.mkdir()
    script(folder / "devicectl", "exit 0")
    monkeypatch.setenv("PATH", str(path), prepend=":")
    return folder


def script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_devices_as_devicectl_lists_them(xcode: Path, tmp_path: Path) -> None:
    devices = [told("1-A", "iPhone", "connected"), told("2-B", "iPad", "disconnected")]
    listed = tmp_path / "listed.json"
    listed.write_text(json.dumps({"result": {"devices": devices}}))
    script(
        tmp_path / "bin" / "xcrun",
        f'[ "$1 $2 $3 $4" = "devicectl list devices -j" ] && cp "{listed}" "$5"',
    )
    with open_service("iphone", xcode) as service:
        phone, pad = service.devices()
    assert phone == Attached(
        "Ada's iPhone", "iphone", "1-A", "UDID-1-A", "18.5", "22F76", "enabled", "connected"
    )
    assert (pad.type, pad.state, pad.system()) == ("ipad", "disconnected", "iPadOS 18.5 (22F76)")


def test_what_devicectl_complains_of(xcode: Path, tmp_path: Path) -> None:
    script(tmp_path / "bin" / "xcrun", "echo 'ERROR: CoreDevice is too old.' >&2; exit 3")
    with (
        pytest.raises(
            UnreachableError, match=r"^Xcode cannot list .* devices: CoreDevice is too old\.$"
        ),
        open_service("iphone", xcode) as service,
    ):
        service.devices()


@pytest.mark.skipif(shutil.which("devicectl") is not None, reason="devicectl is on PATH")
def test_coremltools_finds_devicectl_by_path_alone_and_imports_no_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = tmp_path / "imported"
    (tmp_path / "torch.py").write_text(f"open({str(imported)!r}, 'w')\nraise ImportError\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with (
        pytest.raises(UnreachableError, match="The 'devicectl' command is required"),
        open_service("iphone", None) as service,
    ):
        service.devices()
    assert not imported.exists()


@pytest.mark.usefixtures("xcode")
def test_what_xcodebuild_complains_of(tmp_path: Path) -> None:
    script(tmp_path / "bin" / "xcodebuild", "echo x.swift; echo 'error: No signing.'; exit 65")
    with quiet_coremltools():
        remote = importlib.import_module("coremltools.models.ml_program.experimental.remote_device")
    device = remote.Device(
        "a", remote.DeviceType.IPHONE, "1", "2", "", "", "", remote.DeviceState.CONNECTED, None
    )
    with pytest.raises(Exception, match="None") as info:  # it loses what was said
        remote._AppBuilder.build(
            device, tmp_path / "build", tmp_path, remote.AppSigningCredentials("TEAM")
        )
    assert complaint(info.value) == "No signing"


class Loaded:
    """A loaded model, and the compute plan: convolutions on the Neural Engine, else the CPU."""

    def __init__(self, spec: Any) -> None:
        self._spec = spec
        self.predictions = 0
        devices = importlib.import_module("coremltools.models.compute_device")
        plans = importlib.import_module("coremltools.models.compute_plan")
        self._usage = plans.MLComputePlanDeviceUsage
        self._cost = plans.MLComputePlanCost
        self._cpu = object.__new__(devices.MLCPUComputeDevice)  # of a proxy that only a Mac has
        self._ane = object.__new__(devices.MLNeuralEngineComputeDevice)

    def make_state_if_needed(self) -> None:
        return None

    async def predict(self, inputs: dict[str, Any], state: None) -> dict[str, Any]:
        self.predictions += 1
        return {}

    @property
    def last_predict_duration_in_nano_seconds(self) -> int:
        return 1_234_567 + self.predictions

    async def retrieve_compute_plan(self) -> Any:
        self.model_structure = SimpleNamespace(
            program=SimpleNamespace(
                functions={
                    name: SimpleNamespace(
                        block=SimpleNamespace(
                            operations=[
                                SimpleNamespace(type=op.type, outputs=op.outputs, blocks=[])
                                for op in function.block_specializations[function.opset].operations
                            ]
                        )
                    )
                    for name, function in self._spec.mlProgram.functions.items()
                }
            )
        )
        return self

    def get_compute_device_usage_for_mlprogram_operation(self, operation: Any) -> Any:
        if operation.type == "const":
            return None
        neural = operation.type == "conv"
        return self._usage(self._ane if neural else self._cpu, [self._cpu, self._ane][: 1 + neural])

    def get_estimated_cost_for_mlprogram_operation(self, operation: Any) -> Any:
        return self._cost(0.5 if operation.type == "conv" else 0.25)


def test_the_installed_benchmarker_gives_runs_and_placement(tiny_coreml: Artifact) -> None:
    with quiet_coremltools():
        benchmark = Benchmark(tiny_coreml.path, "all", None)
        loaded = benchmark._benchmarker._loaded_model = Loaded(benchmark._model.get_spec())

        async def use() -> tuple[list[int], list[dict[str, Any]]]:
            return await benchmark.run({"image": 0}, 3), await benchmark.placement({"image": 0})

        samples, operators = asyncio.run(use())
    assert samples == [1_234_568, 1_234_569, 1_234_570]
    assert loaded.predictions == 4
    counts = get_runtime("coreml").operators(tiny_coreml.path)
    placed = [one["operator"] for one in operators]
    assert {kind: placed.count(kind) for kind in {*placed}} == {
        kind: count for kind, count in counts.items() if kind != "const"
    }
    assert operators[0]["unit"] == "ane"
    assert operators[0]["supported"] == ["cpu", "ane"]
    assert operators[0]["estimated_ns"] == round(0.5 * 1_234_571)
    assert {one["unit"] for one in operators if one["operator"] != "conv"} == {"cpu"}
