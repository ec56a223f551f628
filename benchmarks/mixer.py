"""Time the DFT plans at each map size on one runtime, and show which one the planner chooses.

    python benchmarks/mixer.py --runtime litert --plot mixer.svg
    python benchmarks/mixer.py --calibrate

A filter is timed in its place, inside an AFF block; its cost is what the block takes longer than
the same block without filter, all plans of a map size in turns.  A choice is marked when another
plan was faster by more than 5 %.  The roofline is the share of the best rate that a matrix product
reaches here in the same run.  ``--calibrate`` fits the coefficients of the cost model to what was
measured, for `affnet.export.fourier.costs`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from affnet.artifact import Provenance, TensorSpec
from affnet.bench.measurement.timer import DeviceTimer, open_timer
from affnet.export.autotuning.plan_cache import PlanCache
from affnet.export.autotuning.plan_timing import measure_plans
from affnet.export.converters import get_converter
from affnet.export.fourier.costs import PredictedCosts, filter_cost
from affnet.export.fourier.planner import rank_plans
from affnet.export.fourier.plans.base import MapSize
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.model.source import Source
from affnet.runtimes import get_runtime

#: AFFNet's maps at 256 px and at 224 px, those of affnet_et, and of larger and oblong images.
MAPS = [
    MapSize(128, 32, 32),
    MapSize(256, 16, 16),
    MapSize(320, 8, 8),
    MapSize(128, 28, 28),
    MapSize(256, 14, 14),
    MapSize(320, 7, 7),
    MapSize(64, 32, 32),
    MapSize(104, 16, 16),
    MapSize(144, 8, 8),
    MapSize(128, 24, 40),
    MapSize(128, 48, 48),
    MapSize(128, 64, 64),
    MapSize(128, 60, 80),
    MapSize(128, 128, 128),
]
GEMM = 512  # rows, columns and inner size of the product whose rate is the roof


def map_size(text: str) -> MapSize:
    """Read CxHxW."""
    channels, height, width = map(int, text.split("x"))
    return MapSize(channels, height, width)


class Product(nn.Module):
    """A square matrix product."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(GEMM, GEMM) / GEMM**0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map 1 x N x N to the same shape."""
        return x @ self.matrix


def roof(timer: DeviceTimer, format_: str) -> float:
    """Return the best rate of a matrix product here, in multiply-accumulates per microsecond."""
    taken, given = (TensorSpec(name, (1, GEMM, GEMM), "float32") for name in ("x", "y"))
    provenance = Provenance("benchmark", "product", "random", None, {})
    source = Source(Product().eval(), "product", provenance, taken, (given,), None, None, ())
    with tempfile.TemporaryDirectory() as folder:
        artifact = export_artifact(source, ExportOptions(format_), folder)
        return GEMM**3 / min(timer.medians_us([artifact]))


def calibrate(points: Sequence[tuple[str, MapSize, float]]) -> str:
    """Return the line for `SPEEDS`: the non-negative fit of least relative errors."""
    from scipy.optimize import nnls

    costs = [filter_cost(plan, size) for plan, size, _ in points]
    measured = np.array([us for *_, us in points])
    features = np.array([[c.macs / 1e6, c.products, c.bytes / 1e6, c.operators] for c in costs])
    weights, _ = nnls(features / measured[:, None], np.ones(len(measured)))
    errors = features @ weights / measured - 1
    figures = ", ".join(f"{weight:.3g}" for weight in weights)
    return f"Speed({figures})  # errors: median {np.median(np.abs(errors)):.0%}"


def plot(points: Sequence[tuple[str, MapSize, float]], path: Path) -> None:
    """Draw cost against pixels, one line per plan, per channel so that sizes compare."""
    import altair as alt

    from affnet.bench.charts import rows_of, write_picture

    rows = [
        {"plan": plan, "pixels": size.height * size.width, "us": us / size.channels}
        for plan, size, us in points
    ]
    scale = alt.Scale(type="log")
    chart = alt.Chart(rows_of(rows), width=560, height=360).encode(
        x=alt.X("pixels:Q", title="pixels of a map", scale=scale),
        y=alt.Y("us:Q", title="us per channel", scale=scale),
        color=alt.Color("plan:N", title=None),
    )
    write_picture(chart.mark_line(point=True), path)


def table(
    timer: DeviceTimer, runtime: str, maps: Sequence[MapSize]
) -> list[tuple[str, MapSize, float]]:
    """Print one line per map size; return what was measured."""
    format_ = get_runtime(runtime).format
    best, plans = roof(timer, format_), get_converter(format_).plans
    print(f"{timer.runtime}, {timer.threads} thread(s); best product {best / 1e3:.0f} GMAC/s\n")
    print("| C x H x W | " + " | ".join(f"{p} us" for p in plans) + " | % of best | chosen |")
    print("| --- |" + " ---: |" * (len(plans) + 1) + " --- |")
    points = []
    with tempfile.TemporaryDirectory() as folder:
        plan_cache = PlanCache(Path(folder, "plans.json"))  # measured anew at every call
        for size in maps:
            costs = measure_plans([size], format_, timer, plan_cache)
            chosen = rank_plans(size, plans, PredictedCosts(runtime))[0].plan
            measured = {plan: costs.microseconds(plan, size) for plan in plans}
            known = {plan: us for plan, us in measured.items() if us}
            points += [(plan, size, us) for plan, us in known.items()]
            fastest = min(known.values())
            mark = " (slower)" if known.get(chosen, np.inf) > 1.05 * fastest else ""
            rate = filter_cost(chosen, size).macs / known.get(chosen, np.inf) / best
            cells = [f"{known[plan]:.0f}" if plan in known else "-" for plan in plans]
            print(f"| {size} | {' | '.join(cells)} | {rate:.0%} | {chosen}{mark} |", flush=True)
    return points


def main() -> None:
    """Print one line per map size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runtime", default="onnxruntime")
    parser.add_argument("--device", default="host")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--maps", nargs="+", type=map_size, default=MAPS, metavar="CxHxW", help="instead of all"
    )
    parser.add_argument("--plot", type=Path, help="draw cost against map size here")
    parser.add_argument("--calibrate", action="store_true", help="fit the cost model")
    arguments = parser.parse_args()
    with open_timer(arguments.device, arguments.runtime, arguments.threads) as timer:
        points = table(timer, arguments.runtime, arguments.maps)
    if arguments.calibrate:
        print(f"\n{arguments.runtime}: {calibrate(points)}")
    if arguments.plot:
        plot(points, arguments.plot)


if __name__ == "__main__":
    main()
