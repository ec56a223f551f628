"""Time the DFT plans on ONNX Runtime at each map size, and show which one the planner chooses.

    python benchmarks/mixer.py

Each plan's transform and inverse, without the rest of the mixer, become an ONNX file.  All are
loaded in one process and timed in turns.  A choice is marked when another plan was faster by more
than 5 %.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from affnet.export.converters.onnx import OnnxConverter
from affnet.export.fourier.planner import PLANS, choose_plan
from affnet.export.fourier.plans.base import DFTPlan

# channels, height, width: AFFNet's maps at 256 px, at 224 px, and larger
MAPS = [
    (128, 32, 32),
    (256, 16, 16),
    (320, 8, 8),
    (128, 28, 28),
    (256, 14, 14),
    (320, 7, 7),
    (64, 32, 32),
    (104, 16, 16),
    (144, 8, 8),
    (128, 24, 40),
    (128, 64, 64),
]
DENSE_LIMIT = 32 * 32  # pixels; the dense constants of larger maps take gigabytes


class RoundTrip(nn.Module):
    """A transform followed by its inverse."""

    def __init__(self, plan: DFTPlan) -> None:
        super().__init__()
        self.plan = plan

    def forward(self, x: Tensor) -> Tensor:
        """Map 1 x C x H x W to itself."""
        return self.plan.synthesise(self.plan.analyse(x), x.shape[-1])


def session(plan: DFTPlan, shape: tuple[int, ...], folder: Path) -> object:
    import onnxruntime

    path = folder / f"{plan.name}_{'x'.join(map(str, shape))}.onnx"
    program = torch.onnx.export(
        RoundTrip(plan).eval(), (torch.zeros(shape),), dynamo=True, verbose=False
    )
    program.save(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options)


def time_in_turns(sessions: dict[str, object], x: np.ndarray, seconds: float) -> dict[str, float]:
    """Return each session's median, in microseconds."""
    samples: dict[str, list[float]] = {name: [] for name in sessions}
    names, until = list(sessions), time.perf_counter() + seconds
    while time.perf_counter() < until:
        for name in names:
            feed = {sessions[name].get_inputs()[0].name: x}
            sessions[name].run(None, feed)  # fills the caches again
            for _ in range(5):
                started = time.perf_counter()
                sessions[name].run(None, feed)
                samples[name].append(1e6 * (time.perf_counter() - started))
        names.reverse()
    return {name: statistics.median(values) for name, values in samples.items()}


def main() -> None:
    """Print one line per map size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="per map size")
    arguments = parser.parse_args()
    print("| C x H x W | " + " | ".join(f"{name} us" for name in PLANS) + " | chosen |")
    print("| --- |" + " ---: |" * len(PLANS) + " --- |")
    with tempfile.TemporaryDirectory() as folder:
        for channels, height, width in MAPS:
            shape = (1, channels, height, width)
            plans = [
                plan
                for plan in PLANS.values()
                if plan.name != "dense" or height * width <= DENSE_LIMIT
            ]
            sessions = {
                plan.name: session(plan(height, width), shape, Path(folder)) for plan in plans
            }
            x = np.random.default_rng(0).random(shape, dtype=np.float32)
            medians = time_in_turns(sessions, x, arguments.seconds)
            chosen = choose_plan(channels, height, width, OnnxConverter.plans).name
            mark = " (slower)" if medians[chosen] > 1.05 * min(medians.values()) else ""
            cells = [f"{medians[name]:.0f}" if name in medians else "-" for name in PLANS]
            print(f"| {channels} x {height} x {width} | {' | '.join(cells)} | {chosen}{mark} |")


if __name__ == "__main__":
    main()
