"""Measuring what frequency filters cost with each plan, where the network will run."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Protocol

from torch import nn

from affnet.artifact import Artifact, Provenance, TensorSpec
from affnet.errors import AffnetError, ArtifactError, ConversionError, VerificationError
from affnet.export.autotuning.plan_cache import PlanCache, Target
from affnet.export.converters import get_converter
from affnet.export.fourier.costs import PredictedCosts
from affnet.export.fourier.plans.base import MapSize
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.files import scratch_folder
from affnet.model.network import AFFBlock
from affnet.model.random_weights import randomise
from affnet.model.source import Source
from affnet.runtimes import runtime_for

Progress = Callable[[str], None]

# A plan predicted to cost more than so many times the best is not measured: on large maps the
# constants of `DensePlan` alone would take gigabytes.
_HOPELESS = 4.0


class Timer(Protocol):
    """Times artifacts side by side, as `affnet.bench.measurement.timer.DeviceTimer` does."""

    machine: str  # what identifies the device
    runtime: str  # with its version
    threads: int

    def medians_us(self, artifacts: Sequence[Artifact]) -> list[float]:
        """Return the median latency of each artifact in microseconds."""
        ...


class MeasuredCosts:
    """Costs that were measured; see `PlanCosts`."""

    kind = "measured"

    def __init__(self, costs: Mapping[MapSize, Mapping[str, float | None]]) -> None:
        self._costs = costs

    def microseconds(self, plan: str, size: MapSize) -> float | None:
        """See `PlanCosts.microseconds`; None where the format cannot hold the plan."""
        return self._costs.get(size, {}).get(plan)


def measure_plans(
    sizes: Iterable[MapSize],
    format_: str,
    timer: Timer,
    plan_cache: PlanCache,
    progress: Progress = lambda _: None,
    precision: str | None = None,
) -> MeasuredCosts:
    """Return what a filter costs on maps of each size with each plan of a format.

    Only what `PlanCache` does not hold yet is measured, and then kept there; plans that are
    predicted to be several times slower than others have no cost.  A filter is measured in
    its place, inside an AFF block that is exported like a network; the cost is what the block takes
    longer than the same block without filter, all timed in turns.

    ``precision`` is the files', the format's default if None.

    Raises:
        AffnetError: as ``timer`` and `export_artifact`.
    """
    converter = get_converter(format_)
    plans, options = converter.plans, ExportOptions(format_, precision=precision)
    # what wrote the files decides their speed too
    tools = ", ".join(f"{tool} {metadata.version(tool)}" for tool in converter.tools)
    made = f"{timer.runtime}, {precision or converter.precisions[0]} files by {tools}"
    target = Target(timer.machine, made, timer.threads)
    costs: dict[MapSize, Mapping[str, float | None]] = {}
    for size in sorted(set(sizes)):
        known = plan_cache.get(target, size)
        if not known.keys() >= {*plans}:  # all anew, because only one run's compare
            progress(f"Measuring the plans for maps of {size} on {timer.runtime}")
            measured = _measure(size, options, _hopeful(size, format_, plans), timer, progress)
            known = {plan: measured.get(plan) for plan in plans}
            try:
                plan_cache.put(target, size, known)
            except AffnetError:  # it only costs time, later
                progress(f"The costs cannot be remembered in {plan_cache.path}")
        costs[size] = known
    return MeasuredCosts(costs)


def _hopeful(size: MapSize, format_: str, plans: Sequence[str]) -> list[str]:
    """Return the plans whose predicted cost is not far from the best."""
    predicted = PredictedCosts(runtime_for(format_).name)
    costs = {plan: predicted.microseconds(plan, size) for plan in plans}
    return [plan for plan, cost in costs.items() if cost <= _HOPELESS * min(costs.values())]


def _measure(
    size: MapSize, options: ExportOptions, plans: Sequence[str], timer: Timer, progress: Progress
) -> dict[str, float]:
    with scratch_folder() as folder:
        floor = export_artifact(block(size, filtered=False), options, folder)
        artifacts: dict[str, Artifact] = {}
        for plan in plans:
            chosen = dataclasses.replace(options, fft=plan)
            try:
                artifacts[plan] = export_artifact(block(size), chosen, Path(folder, plan))
            except (ArtifactError, ConversionError, VerificationError) as error:
                progress(f"{plan} is no choice for {size}: {error}")
                if not artifacts and plan == plans[-1]:  # it is not the plans
                    raise
        base, *medians = timer.medians_us([floor, *artifacts.values()])
    # on tiny maps noise may exceed a filter's cost
    return {p: max(median - base, 0.1) for p, median in zip(artifacts, medians, strict=True)}


def block(size: MapSize, *, filtered: bool = True) -> Source:
    """Return an AFF block as a network of its own."""
    block = AFFBlock(size.channels, "swish", "layer_norm_2d")
    randomise(block)
    if not filtered:
        block.filter = nn.Identity()
    shape = (1, size.channels, size.height, size.width)
    return Source(
        model=block.eval(),
        name="block",
        provenance=Provenance("block", str(size), "random (seed 0)", None, {}),
        inputs=(TensorSpec("maps", shape, "float32"),),
        outputs=(TensorSpec("mixed", shape, "float32"),),
        labels=None,
        published=None,
        notes=(),
        task="other",
    )
