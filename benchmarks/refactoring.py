"""Compare exports by this checkout with those by an older one: what they cost, and the files.

    git worktree add ../before 12eeb20
    python -m benchmarks.refactoring ../before --formats onnx tflite coreml executorch all
    python -m benchmarks.refactoring ../before --sources emoji mobilevit_xxs --repeats 1
    python -m benchmarks.refactoring ../before --formats tflite --options --layout NCHW --head none

Both export in turns, each in a process of its own, with this environment's packages.  CPU seconds
are of all its processes, the peak of memory is of their sum, sampled 20 times a second.  Files
are the same bytes, or else the operators that differ are listed with the largest difference of
the outputs over the largest output, on noise, and, with --latency, the ratio of medians.

TFLite's files of 12eeb20 take N x C x H x W and give logits.  Today's take N x H x W x C, a
TRANSPOSE less, and give probabilities, a SOFTMAX more, as MediaPipe reads them; the options above
undo both.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from affnet.artifact import Artifact
from affnet.bench.measurement.interleaved import Job, measure
from affnet.bench.measurement.protocol import get_protocol
from affnet.bench.results.ratios import relate_to_peer
from affnet.devices.catalog import get_device
from affnet.layouts import as_input
from affnet.runtimes import runtime_for

FORMATS = ("onnx", "tflite", "coreml", "executorch")


@dataclass(frozen=True)
class Cost:
    """What one export took."""

    cpu_s: float
    wall_s: float
    peak_bytes: int


def export(
    checkout: Path, source: str, format_: str, output: Path, options: Sequence[str] = ()
) -> Cost:
    """Export with the code of ``checkout``; raise ``CalledProcessError`` where that fails."""
    command = [sys.executable, "-m", "affnet.cli", "export", source, *options]
    command += ["--format", format_, "--output", str(output), "--quiet"]
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    started, before = time.perf_counter(), os.times()
    process = subprocess.Popen(
        command, cwd=checkout, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    peak = [0]
    sampler = threading.Thread(target=_sample_memory, args=(process, peak), daemon=True)
    sampler.start()
    _, errors = process.communicate()
    wall, after = time.perf_counter() - started, os.times()
    sampler.join()
    if process.returncode:
        sys.stderr.buffer.write(errors)
        raise subprocess.CalledProcessError(process.returncode, command)
    used = after.children_user - before.children_user
    used += after.children_system - before.children_system
    return Cost(used, wall, peak[0])


def _sample_memory(process: subprocess.Popen[bytes], peak: list[int]) -> None:
    """Keep in ``peak`` the largest sum of the resident memory of ``process`` and its children."""
    while process.poll() is None:
        total = 0
        try:
            parent = psutil.Process(process.pid)
            for one in (parent, *parent.children(recursive=True)):
                total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue  # it ended between two looks
        peak[0] = max(peak[0], total)
        time.sleep(0.05)


def difference(before: Path, after: Path, latency: bool) -> str:
    """Return in words in what two artifacts differ."""
    if _contents(before) == _contents(after):
        return "the same bytes"
    old, new = Artifact.open(before), Artifact.open(after)
    runtime = runtime_for(new.manifest.format)
    operators = [Counter(runtime.operators(path)) for path in (before, after)]
    more, fewer = operators[1] - operators[0], operators[0] - operators[1]
    found = [f"+{n} {op}" for op, n in more.items()] + [f"-{n} {op}" for op, n in fewer.items()]
    size = new.manifest.inputs[0].image_size()
    noise = np.random.default_rng(0).random((1, 3, *size), np.float32)
    outputs = [
        runtime.load(one.path, threads=1).run(as_input(noise, one.manifest.inputs[0]))[0]
        for one in (old, new)  # their layouts may differ
    ]
    error = np.abs(outputs[1] - outputs[0]).max() / np.abs(outputs[0]).max()
    words = f"{', '.join(found) or 'the same operators'}; outputs differ by {error:.1e}"
    if not latency or new.manifest.format == "coreml":  # which only a Mac can time
        return words
    jobs = [Job("before", old, runtime.name), Job("after", new, runtime.name)]
    measured = measure(jobs, get_device("host"), get_protocol("default"), threads=1)
    ratio = relate_to_peer(measured, "before")[1].ratio_to_peer
    assert ratio is not None
    return f"{words}; latency x {ratio.value:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"


def _contents(artifact: Path) -> dict[str, bytes]:
    files = [artifact] if artifact.is_file() else sorted(artifact.rglob("*"))
    return {str(f.relative_to(artifact)): f.read_bytes() for f in files if f.is_file()}


def artifact_in(folder: Path) -> dict[str, Path]:
    """Return the artifacts of ``folder`` by name, each of which has a manifest beside it."""
    ending = ".manifest.json"
    manifests = sorted(folder.glob(f"*{ending}"))
    return {
        m.name.removesuffix(ending): m.with_name(m.name.removesuffix(ending)) for m in manifests
    }


def compare(
    before: Path,
    source: str,
    format_: str,
    repeats: int,
    latency: bool,
    options: Sequence[str] = (),
) -> list[str]:
    """Return the table's row, and a line for each file; ``options`` are for this checkout's."""
    checkouts = {"before": before, "after": Path(__file__).parents[1]}
    costs: dict[str, list[Cost]] = {name: [] for name in checkouts}
    with tempfile.TemporaryDirectory() as scratch:
        folders = {name: Path(scratch, name) for name in checkouts}
        for number in range(repeats):
            order = list(checkouts) if number % 2 == 0 else list(checkouts)[::-1]
            for name in order:
                own = options if name == "after" else ()
                costs[name].append(export(checkouts[name], source, format_, folders[name], own))
        old, new = (artifact_in(folder) for folder in folders.values())
        lines = [
            f"- {name}: {difference(old[name], new[name], latency)}" for name in old if name in new
        ]
        lines += [f"- {name}: only in one" for name in old.keys() ^ new.keys()]
    cells = [source, format_]
    for field in ("cpu_s", "wall_s", "peak_bytes"):
        a, b = ([getattr(cost, field) for cost in costs[name]] for name in checkouts)
        scale = 1e6 if field == "peak_bytes" else 1
        medians = statistics.median(a) / scale, statistics.median(b) / scale
        ratios = [y / x for x, y in zip(a, b, strict=True)]
        cells.append(f"{medians[0]:.1f} to {medians[1]:.1f}")
        cells.append(f"{medians[1] / medians[0]:.2f} [{min(ratios):.2f}, {max(ratios):.2f}]")
    return ["| " + " | ".join(cells) + " |", *lines]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path, help="another checkout of this repository")
    parser.add_argument("--sources", nargs="+", default=["affnet_et"])
    parser.add_argument("--formats", nargs="+", default=list(FORMATS), choices=[*FORMATS, "all"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--latency", action="store_true", help="measure files that differ")
    parser.add_argument(
        "--options", nargs=argparse.REMAINDER, default=(), help="for exports by this checkout"
    )
    arguments = parser.parse_args()
    print("| source | format | CPU s | ratio | wall s | ratio | peak MB | ratio |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    notes = []
    for source in arguments.sources:
        for format_ in arguments.formats:
            row, *lines = compare(
                arguments.before.resolve(),
                source,
                format_,
                arguments.repeats,
                arguments.latency,
                arguments.options,
            )
            print(row, flush=True)
            notes += lines
    print("", *notes, sep="\n")


if __name__ == "__main__":
    main()
