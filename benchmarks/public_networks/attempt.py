"""One network in one format, in a process of its own that may crash or take too long."""

from __future__ import annotations

import json
import math
import multiprocessing
import resource
import statistics
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from affnet.artifact import Artifact
from affnet.errors import AffnetError
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.export.quantization import CALIBRATED
from affnet.export.verification.inputs import VerificationInput
from affnet.export.verification.samples import Samples
from affnet.export.verification.subject import Subject
from affnet.layouts import as_input
from affnet.model.source import Source, load_source
from affnet.silence import silenced
from benchmarks.public_networks.registry import NETWORKS, Built

RIGHT, REFUSED, FAILED, NOT_BUILT = "right", "refused", "failed", "not built"
#: What takes long to import, once for all processes.
SLOW_IMPORTS = ("onnxscript", "onnxruntime", "coremltools", "litert_torch", "executorch.exir")


@dataclass(frozen=True)
class Attempt:
    """What became of a network in a format."""

    network: str
    format: str
    result: str  # right, refused (by affnet, with a sentence), failed, or not built
    message: str = ""
    error: float | None = None  # the largest of the proof, of the largest output
    megabytes: float | None = None  # of the file, beyond the network's weights
    captured: str = ""
    ratio: float | None = None  # the file's CPU time over eager PyTorch's
    seconds: float = 0.0  # of CPU time
    psnr_db: float | None = None  # of the proof


def stored_bytes(network: nn.Module) -> int:
    """Return what the network's parameters and buffers take."""
    tensors: list[Tensor] = [*network.parameters(), *network.buffers()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def over_eager(artifact: Artifact, built: Built, turns: int = 15) -> float | None:
    """Return the file's time over eager PyTorch's; None for a format without a runtime here."""
    if artifact.manifest.format == "coreml":
        return None
    network, inputs = built[0].eval(), built[1] if isinstance(built[1], tuple) else (built[1],)
    subject = Subject.of(artifact)
    session = subject.load()
    feeds = [as_input(x.numpy(), spec) for x, spec in zip(inputs, subject.inputs, strict=True)]
    calls: tuple[Callable[[], Any], ...] = lambda: network(*inputs), lambda: session.run(*feeds)
    with torch.inference_mode():
        counts = [_calls_of(call) for call in calls]
        ratios = []
        for _ in range(turns):
            seconds = []
            for call, count in zip(calls, counts, strict=True):
                began = time.process_time()
                for _ in range(count):
                    call()
                seconds.append((time.process_time() - began) / count)
            ratios.append(seconds[1] / seconds[0])
    return statistics.median(ratios)


def _calls_of(call: Callable[[], Any], seconds: float = 0.1) -> int:
    """Return how many calls take ``seconds`` or more.

    With a limit of CPU time the kernel counts it in ticks of some milliseconds, which a single call
    of a small network does not reach.
    """
    call()
    began = time.perf_counter()
    call()
    return max(1, math.ceil(seconds / max(time.perf_counter() - began, 1e-6)))


def samples_like(source: Source, count: int = 24) -> Samples:
    """Return what calibrates a network of random weights: its example, louder, softer and noisy."""
    generator = np.random.default_rng(0)

    def varied(array: NDArray[Any]) -> NDArray[Any]:
        if array.dtype.kind != "f":  # tokens
            return generator.permuted(array.ravel()).reshape(array.shape)
        noise = generator.standard_normal(array.shape) * 0.1 * array.std()
        return (array * generator.uniform(0.5, 1.5) + noise).astype(array.dtype)

    example = source.example
    assert example is not None  # of every network of one's own
    each = (tuple(map(varied, example)) for _ in range(count))
    inputs = (VerificationInput(f"sample {n}", arrays) for n, arrays in enumerate(each))
    return Samples(tuple(inputs), "noise")


def export(name: str, format_: str, *, timed: bool, precision: str = "fp32") -> Attempt:
    """Build, export and prove a network in this process."""
    chosen = NETWORKS[name]
    try:
        built = chosen.build()
        with torch.inference_mode():
            built[0].eval()(*(built[1] if isinstance(built[1], tuple) else (built[1],)))
    except Exception as error:  # a package that is not installed, or of another version
        return Attempt(name, format_, NOT_BUILT, f"{type(error).__name__}: {error}")
    try:
        with tempfile.TemporaryDirectory() as folder:
            source = load_source(chosen.source)
            calibration = samples_like(source) if precision in CALIBRATED else None
            options = ExportOptions(format_, precision=precision, calibration=calibration)
            artifact = export_artifact(source, options, folder)
            files = [path for path in Path(folder).rglob("*") if path.is_file()]
            size = sum(path.stat().st_size for path in files) - stored_bytes(built[0])
            ratio = over_eager(artifact, built) if timed else None
    except AffnetError as error:
        return Attempt(name, format_, REFUSED, str(error))
    except Exception:
        return Attempt(name, format_, FAILED, traceback.format_exc())
    parity = artifact.manifest.parity
    assert parity is not None
    by = artifact.manifest.details.get("capture", {}).get("by", "torch.export")
    return Attempt(
        name,
        format_,
        RIGHT,
        "",
        parity.max_rel_error,
        size / 1e6,
        by,
        ratio,
        psnr_db=parity.psnr_db,
    )


def in_own_process(
    name: str, format_: str, *, timed: bool, limit: int, precision: str = "fp32"
) -> Attempt:
    """Export in a process that is ended after ``limit`` seconds of CPU time."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *SLOW_IMPORTS])
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(
        target=_report, args=(sending, name, format_, timed, limit, precision)
    )
    process.start()
    sending.close()
    try:
        result: Attempt = receiving.recv()
    except EOFError:
        process.join()
        result = Attempt(name, format_, FAILED, f"the process ended with {process.exitcode}")
    process.join()
    return result


def _report(
    sending: Connection, name: str, format_: str, timed: bool, limit: int, precision: str
) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    torch.set_num_threads(1)
    with silenced():
        attempt = export(name, format_, timed=timed, precision=precision)
    sending.send(Attempt(**{**asdict(attempt), "seconds": round(time.process_time(), 1)}))


def read(record: Path) -> dict[tuple[str, str], Attempt]:
    """Return the attempts of a file of JSON lines, by network and format; none if there is none."""
    lines = record.read_text().splitlines() if record.exists() else []
    attempts = [Attempt(**json.loads(line)) for line in lines]
    return {(attempt.network, attempt.format): attempt for attempt in attempts}


def write(record: Path, attempt: Attempt) -> None:
    """Add an attempt to a file of JSON lines."""
    with record.open("a") as file:
        file.write(json.dumps(asdict(attempt)) + "\n")
