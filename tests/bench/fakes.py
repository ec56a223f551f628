"""A device whose latencies are scripted, and ready-made records."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affnet.artifact import Artifact, Manifest, Provenance, TensorSpec
from affnet.bench.results.result import Result
from affnet.devices.base import Capabilities, Memory, Settings, Startup

MS = 1_000_000  # ns
IDLE = {"busy_cores": 0.0, "governor": "performance"}


@dataclass(frozen=True)
class Request:
    """One call of a measuring process."""

    model: str
    process: int  # counted from 0 in the order they were started
    iterations: int
    discard: int


@dataclass
class FakeProcess:
    """Delivers the samples that its script gives for run 0, 1, 2, .."""

    model: str
    number: int
    script: Callable[[int], int]
    log: list[Request]
    startup: Startup
    runs: int = 0

    def run(self, iterations: int, discard: int = 0) -> list[int]:
        self.log.append(Request(self.model, self.number, iterations, discard))
        first = self.runs + discard
        self.runs = first + iterations
        return [self.script(index) for index in range(first, self.runs)]

    def memory(self) -> Memory:
        return Memory(50_000_000 + self.number, pss_bytes=40_000_000)


@dataclass
class FakeDevice:
    """Runs artifacts by the script that is given for their model."""

    scripts: dict[str, Callable[[int], int]]
    state: dict[str, Any] = field(default_factory=lambda: dict(IDLE))
    log: list[Request] = field(default_factory=list)
    started: int = 0
    running: int = 0
    most_running: int = 0
    settings: Settings = field(default_factory=Settings)
    kind = "fake"
    name = "fake"
    capabilities = Capabilities(
        ("onnxruntime", "litert"), ("cpu",), home_runtimes=("onnxruntime",), remote=False
    )

    def fingerprint(self) -> dict[str, Any]:
        return {"kind": "fake", "cpu": "Imagined 9000", "hardware_threads": 2}

    def conditions(self) -> dict[str, Any]:
        return self.state

    @contextmanager
    def start(self, artifact: Artifact, runtime: str, threads: int) -> Iterator[FakeProcess]:
        model = artifact.manifest.model
        startup = Startup(load_ns=7 * MS, first_inference_ns=9 * MS, runtime_version="1.2")
        process = FakeProcess(model, self.started, self.scripts[model], self.log, startup)
        self.started += 1
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            yield process
        finally:
            self.running -= 1


def an_artifact(model: str, folder: Path, **changes: Any) -> Artifact:
    """An artifact of 1000 bytes."""
    path = folder / f"{model}.onnx"
    path.write_bytes(bytes(1000))
    manifest = Manifest(
        model=model,
        format="onnx",
        precision="fp32",
        sha256="0" * 64,
        inputs=(TensorSpec("image", (1, 3, 64, 64), "float32", "NCHW", (0.0, 1.0)),),
        outputs=(TensorSpec("logits", (1, 10), "float32"),),
        labels=None,
        fft_plan={},
        route="torch.export",
        fallbacks=(),
        details={},
        provenance=Provenance("variant", model, "random (seed 0)", None, {}),
        parameters=1_500_000,
        macs=400_000_000,
        published=None,
        tools={},
        parity=None,
    )
    return Artifact(path, dataclasses.replace(manifest, **changes))


def a_result(**changes: Any) -> Result:
    """A result of two blocks: 1, 2, 3 ms and 4, 5 ms."""
    result = Result(
        model="one",
        artifact="one.onnx",
        artifact_sha256="0" * 64,
        format="onnx",
        runtime="onnxruntime",
        runtime_version="1.2",
        device="fake",
        threads=1,
        precision="fp32",
        protocol="quick",
        blocks_ns=((1 * MS, 2 * MS, 3 * MS), (4 * MS, 5 * MS)),
        warmup_ns=(6 * MS,),
        load_ns=7 * MS,
        first_inference_ns=9 * MS,
        peak_rss_bytes=50_000_000,
        file_bytes=3_600_000,
        parameters=1_500_000,
        macs=400_000_000,
        weights="trained",
        published=None,
        validity_reasons=(),
        environment={"cpu": "Imagined 9000", "before": dict(IDLE)},
    )
    return dataclasses.replace(result, **changes)
