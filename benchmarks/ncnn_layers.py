"""Find out what layers of one type cost in an ncnn file, by another type in their place.

    affnet export affnet_et --format ncnn
    python -m benchmarks.ncnn_layers affnet_et.ncnn.param Swish=ReLU Swish=Sigmoid

The packages of ncnn have no profiler.  Each variant is the file with all layers of a type made into
those of another that has no parameters of its own; what it computes is of no use.  CPU time of one
thread in turns, each with the file as it is: the median over the rounds, with the quartiles.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

import numpy as np

from affnet.runtimes.ncnn import NcnnSession
from benchmarks.runtimes import WARM_UP, cpu_ns, opened


def replaced(path: Path, change: str, folder: Path) -> NcnnSession:
    """Return the file with the layers of ``A=B`` of the type B instead of A."""
    old, _, new = change.partition("=")
    text, count = re.subn(rf"^{re.escape(old)} ", f"{new} ", path.read_text(), flags=re.MULTILINE)
    if not count:
        raise SystemExit(f"{path} has no layer of the type {old}.")
    variant = folder / f"{change}.param"
    variant.write_text(text)
    variant.with_suffix(".bin").symlink_to(path.with_suffix(".bin").resolve())
    return NcnnSession(variant, threads=1)


def main() -> None:
    """Print one row per variant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("changes", nargs="+", metavar="TYPE=TYPE")
    parser.add_argument("--rounds", type=int, default=21)
    arguments = parser.parse_args()
    session, shape = opened(str(arguments.file))
    x = np.random.default_rng(0).random(shape, np.float32)
    with tempfile.TemporaryDirectory() as folder:
        variants = [replaced(arguments.file, one, Path(folder)) for one in arguments.changes]
    sessions = [session, *variants]
    for one in sessions:
        cpu_ns(one, x, WARM_UP)
    times = np.array([[cpu_ns(one, x) for one in sessions] for _ in range(arguments.rounds)]).T
    print("| layers | CPU ms | / file [quartiles] |\n| --- | ---: | ---: |")
    for name, own in zip(["as they are", *arguments.changes], times, strict=True):
        low, ratio, high = np.quantile(own / times[0], (0.25, 0.5, 0.75))
        print(f"| {name} | {np.median(own) / 1e6:.2f} | {ratio:.2f} [{low:.2f}, {high:.2f}] |")


if __name__ == "__main__":
    main()
