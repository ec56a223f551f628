"""Compare files by the CPU time of a run on one thread, in turns, each with the first.

    for format in onnx openvino mnn ncnn; do affnet export affnet_et --format $format; done
    python -m benchmarks.runtimes affnet_et.{onnx,xml,mnn,ncnn.param} tract:affnet_et.onnx

The time is what this process spends on its processor: others that keep the machine busy lengthen a
run, but not that.  In each round every file runs on the same input, in its format's own runtime or
in the one named before it; the ratio is the median over the rounds, with the quartiles.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Artifact
from affnet.runtimes import RUNTIMES, Session, get_runtime, runtime_for

WARM_UP, RUNS = 3, 2  # RUNS of each file in a round


def opened(file: str) -> tuple[Session, tuple[int, ...]]:
    """Load ``FILE`` or ``RUNTIME:FILE``; return it with the shape that it takes."""
    name, _, path = file.rpartition(":")
    artifact = Artifact.open(Path(path))
    runtime = get_runtime(name) if name in RUNTIMES else runtime_for(artifact.manifest.format)
    return runtime.load(artifact.path, threads=1), artifact.manifest.inputs[0].static_shape()


def cpu_ns(session: Session, x: NDArray[np.float32], runs: int = RUNS) -> float:
    """Return what the process spends on a run."""
    started = time.process_time_ns()
    for _ in range(runs):
        session.run(x)
    return (time.process_time_ns() - started) / runs


def main() -> None:
    """Print one row per file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="[RUNTIME:]FILE")
    parser.add_argument("--rounds", type=int, default=31)
    arguments = parser.parse_args()
    sessions = []
    for session, shape in map(opened, arguments.files):
        x = np.random.default_rng(0).random(shape, np.float32)
        cpu_ns(session, x, WARM_UP)
        sessions.append((session, x))
    rounds = [[cpu_ns(*one) for one in sessions] for _ in range(arguments.rounds)]
    times = np.array(rounds).T
    print("| file | CPU ms | / first [quartiles] |\n| --- | ---: | ---: |")
    for file, own in zip(arguments.files, times, strict=True):
        low, ratio, high = np.quantile(own / times[0], (0.25, 0.5, 0.75))
        print(f"| {file} | {np.median(own) / 1e6:.2f} | {ratio:.2f} [{low:.2f}, {high:.2f}] |")


if __name__ == "__main__":
    main()
