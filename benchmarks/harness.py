"""Does ``affnet bench`` report what a bare loop around the same session takes?

Each round measures one ONNX file twice, in fresh processes, one after the other: with the
package's own device and protocol, and with a loop of a few lines around
``onnxruntime.InferenceSession`` that imports nothing of affnet.  Which comes first alternates from
round to round, so that drift of the machine hits both alike.  The median of the rounds' ratios is
the harness's error; the project's bar for it is 3 %.

First it times runs that do nothing, by the measuring process's own loop: what that adds to each.

    python benchmarks/harness.py affnet_et --image-size 256 --rounds 6
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from affnet.artifact import Artifact
from affnet.bench.measurement.interleaved import label_jobs, measure
from affnet.bench.measurement.protocol import PRESETS, Protocol, get_protocol
from affnet.devices.catalog import get_device
from affnet.devices.worker.serve import time_runs
from affnet.export.open_or_export import open_or_export
from affnet.units import MILLISECONDS

BARE_LOOP = """
import json, statistics, sys, time
import numpy, onnxruntime
path, threads, shape, warm_up_s, runs, seconds = json.load(sys.stdin)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
feeds = {session.get_inputs()[0].name: numpy.random.rand(*shape).astype("float32")}
until = time.perf_counter() + warm_up_s
while time.perf_counter() < until:
    session.run(None, feeds)
samples, until = [], time.perf_counter() + seconds
while len(samples) < runs or time.perf_counter() < until:
    started = time.perf_counter_ns()
    session.run(None, feeds)
    samples.append(time.perf_counter_ns() - started)
print(statistics.median(samples))
"""


def bare_median_ns(artifact: Artifact, protocol: Protocol, threads: int) -> float:
    """Return the median latency of a loop that knows nothing of affnet."""
    job = (
        str(artifact.path),
        threads,
        artifact.manifest.inputs[0].static_shape(),
        0.5,
        protocol.min_runs,
        protocol.min_seconds,
    )
    done = subprocess.run(
        [sys.executable, "-c", BARE_LOOP],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def harness_median_ns(artifact: Artifact, protocol: Protocol, threads: int) -> float:
    """Return the median latency that ``affnet bench`` reports."""
    jobs = label_jobs([artifact], "onnxruntime")
    (result,) = measure(jobs, get_device("host"), protocol, threads=threads)
    return result.summary().median


class Nothing:
    """A session whose runs do nothing."""

    def run(self, _image: None) -> list[None]:
        """Return no outputs."""
        return []


def overhead_ns(runs: int = 200_000) -> float:
    """Return what the loop adds to each run: a call from Python and the reading of a clock."""
    return statistics.median(time_runs(Nothing(), None, runs))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="an ONNX artifact, or a source to export first")
    parser.add_argument("--image-size", type=int, help="of a source; default: its own")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--preset", choices=PRESETS, default="default")
    arguments = parser.parse_args()
    print(f"the loop adds {overhead_ns():.0f} ns to each run")
    protocol = get_protocol(arguments.preset)
    size = (arguments.image_size, arguments.image_size) if arguments.image_size else None
    with tempfile.TemporaryDirectory() as scratch:
        artifact = open_or_export(arguments.model, "onnx", size, "auto", Path(scratch))
        print(f"{artifact.manifest.model}, {arguments.threads} thread(s), {protocol.name}")
        print("round  affnet ms  bare ms  ratio")
        ratios = []
        timers = {"affnet": harness_median_ns, "bare": bare_median_ns}
        for number in range(arguments.rounds):
            order = list(timers) if number % 2 == 0 else list(timers)[::-1]
            median = {name: timers[name](artifact, protocol, arguments.threads) for name in order}
            ratios.append(median["affnet"] / median["bare"])
            ours, bare = (MILLISECONDS.number(median[name]) for name in timers)
            print(f"{number:5}  {ours:>9}  {bare:>7}  {ratios[-1]:.4f}", flush=True)
    spread = f"{min(ratios):.4f} to {max(ratios):.4f}"
    print(f"median ratio {statistics.median(ratios):.4f} ({spread})")


if __name__ == "__main__":
    main()
