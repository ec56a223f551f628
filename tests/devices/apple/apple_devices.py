"""A machine that says it is a Mac with Xcode's tools and devices, by the double of coremltools."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from affnet.artifact import Artifact
from affnet.bench.measurement.protocol import Protocol
from affnet.devices.apple import discovery
from affnet.devices.apple.device import IosDevice
from affnet.devices.catalog import Entry, open_device
from affnet.errors import AffnetError
from affnet.parity import reference_image
from affnet.runtimes.coreml import EvaluatorSession

DOUBLE = Path(__file__).with_name("coremltools_double")
CPU, GPU, ANE = "MLCPUComputeDevice", "MLGPUComputeDevice", "MLNeuralEngineComputeDevice"
#: enough for a double
SHORT = Protocol("short", min_runs=8, min_seconds=0.0, max_warmup_seconds=0.01, block_seconds=0.0)
#: output, type, preferred, supported, milliseconds; constants are placed nowhere
OPERATORS = [
    ["x1", "conv", ANE, [CPU, GPU, ANE], 0.5],
    ["x2", "matmul", ANE, [CPU, GPU, ANE], 0.25],
    ["x3", "softmax", CPU, [CPU], None],
    ["w", "const", None, [], None],
]


def an_iphone(number: int = 1, **changes: str) -> dict[str, str]:
    """What coremltools tells of a device."""
    return {
        "name": f"Phone {number}",
        "type": "iphone",
        "identifier": f"ID-{number}",
        "udid": f"UDID-{number}",
        "os_version": "18.5",
        "os_build_number": "22F76",
        "developer_mode_state": "enabled",
        "state": "connected",
        **changes,
    }


@dataclass
class Mac:
    """What the double plays, and what it was asked to do."""

    folder: Path
    devices: list[dict[str, str]] = field(default_factory=lambda: [an_iphone()])
    faults: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def scenario(self) -> Path:
        return self.folder / "scenario.json"

    def play(self, **faults: dict[str, Any]) -> None:
        """Write down what the double is to play."""
        self.faults |= faults
        told = {"devices": self.devices, "faults": self.faults, "operators": OPERATORS}
        self.scenario.write_text(json.dumps({**told, "outputs": self.outputs}))

    def compute(self, artifact: Artifact, error: float = 0.0) -> None:
        """Let the double give the outputs that the evaluator gives, with an ``error``."""
        spec = artifact.manifest.inputs[0]
        image = reference_image(spec.static_shape(), spec.dtype, spec.range or (0.0, 1.0))
        (logits,) = EvaluatorSession(artifact.path).run(image)
        path = self.folder / "outputs.npy"
        np.save(path, logits + error)
        self.outputs = {artifact.manifest.outputs[0].name: str(path)}
        self.play()

    def log(self, event: str) -> list[dict[str, Any]]:
        """Return what was logged of a kind of event."""
        path = self.scenario.with_suffix(".log")
        lines = path.read_text().splitlines() if path.exists() else []
        return [told for told in map(json.loads, lines) if told["event"] == event]

    def device(self, name: str = "iphone", **settings: Any) -> IosDevice:
        """Return a device of the catalog's kind, signed by a team."""
        chosen = {"development_team": "TEAM", **settings}
        device = open_device(Entry(name, "ios", chosen))
        assert isinstance(device, IosDevice)
        return device

    def failing(self, artifact: Artifact | None = None, **settings: Any) -> AffnetError:
        """Return the error of a session, and of loading ``artifact`` in it and running it."""
        device = self.device(**settings)
        with pytest.raises(AffnetError) as info, device.session("coreml"):
            if artifact:
                with device.start(artifact, "coreml", 1) as process:
                    process.run(3)
        assert "\n" not in str(info.value)
        return info.value

    def left_behind(self) -> list[str]:
        """Return the processes of services and model runners that live."""
        launched = {told["pid"] for told in self.log("prepare")}
        left = []
        for process in psutil.process_iter(["pid", "cmdline", "status"]):
            line = process.info["cmdline"] or []
            mine = process.info["pid"] in launched and line[:1] == ["sleep"]
            if process.info["status"] != psutil.STATUS_ZOMBIE and (
                mine or (process.ppid() == psutil.Process().pid and "coreml_service" in str(line))
            ):
                left.append(" ".join(line))
        return left


@contextmanager
def a_mac(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Mac]:
    """Play a Mac; nothing may be left running at the end."""
    tools = folder / "bin"
    tools.mkdir(parents=True)
    xcode = folder / "Xcode"
    xcode.mkdir()
    for path, body in (
        (tools / "xcodebuild", "exit 0"),
        (tools / "xcrun", f'echo "{xcode}/devicectl"'),
        (xcode / "devicectl", "exit 0"),
    ):
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    patch.setenv("PATH", str(tools), prepend=":")
    patch.setenv("PYTHONPATH", str(DOUBLE))
    mac = Mac(folder)
    patch.setenv("COREMLTOOLS_DOUBLE", str(mac.scenario))
    patch.setattr(discovery, "platform", SimpleNamespace(system=lambda: "Darwin"))
    patch.setattr(discovery, "coremltools_folders", lambda: [DOUBLE / "coremltools"])
    mac.play()
    yield mac
    assert mac.left_behind() == []
