"""What ``affnet plan`` says of the DFT plans, for machines and for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from affnet.errors import UsageError
from affnet.export.converters import get_converter
from affnet.export.fourier.costs import PlanCosts, PredictedCosts, filter_cost
from affnet.export.fourier.planner import Candidate, rank_plans
from affnet.export.fourier.plans.base import MapSize
from affnet.runtimes import get_runtime
from affnet.table import Table, numbers, texts
from affnet.units import MEGABYTES, MILLIONS


def plan_record(
    runtime: str, sizes: Sequence[MapSize], measured: PlanCosts | None
) -> dict[str, Any]:
    """Return each map's candidates, the chosen one first, in machine-readable form.

    Raises:
        UsageError: the runtime's format keeps its FFTs.
    """
    plans = get_converter(get_runtime(runtime).format).plans
    if not plans:
        raise UsageError(f"{runtime} computes FFTs itself, so that there is nothing to plan.")
    predicted = PredictedCosts(runtime)
    costs: PlanCosts = measured or predicted
    maps = []
    for size in sizes:
        ranked = rank_plans(size, plans, costs)
        candidates = [
            {
                "plan": candidate.plan,
                "macs": filter_cost(candidate.plan, size).macs,
                "bytes": filter_cost(candidate.plan, size).bytes,
                "predicted_us": round(predicted.microseconds(candidate.plan, size), 1),
                "measured_us": _rounded(measured, candidate.plan, size),
            }
            for candidate in ranked
        ]
        maps.append(
            {
                "map": str(size),
                "chosen": ranked[0].plan,
                "why": _why(ranked, costs.kind),
                "candidates": candidates,
            }
        )
    return {"runtime": runtime, "chosen_by": costs.kind, "maps": maps}


def plan_table(record: dict[str, Any]) -> Table:
    """Return a `plan_record` for people."""
    header = [
        *texts("map", "plan"),
        *numbers("MACs M", "moved MB", "predicted us", "measured us"),
        *texts(""),
    ]
    rows = [
        _cells(entry, candidate, is_chosen=index == 0)
        for entry in record["maps"]
        for index, candidate in enumerate(entry["candidates"])
    ]
    return Table(header, rows)


def _cells(entry: dict[str, Any], candidate: dict[str, Any], *, is_chosen: bool) -> list[str]:
    measured = candidate["measured_us"]
    return [
        entry["map"] if is_chosen else "",
        candidate["plan"],
        MILLIONS.number(candidate["macs"]),
        MEGABYTES.number(candidate["bytes"]),
        f"{candidate['predicted_us']:.0f}",
        "-" if measured is None else f"{measured:.0f}",
        f"chosen: {entry['why']}" if is_chosen else "",
    ]


def _rounded(costs: PlanCosts | None, plan: str, size: MapSize) -> float | None:
    value = costs.microseconds(plan, size) if costs else None
    return None if value is None else round(value, 1)


def _why(ranked: Sequence[Candidate], kind: str) -> str:
    """Say what speaks for the first candidate."""
    if len(ranked) == 1:
        return "the only plan of the format"
    first, second = ranked[:2]
    if first.microseconds is None or second.microseconds is None:
        return f"the only plan {kind}"
    return f"{kind} least; {second.plan} takes {second.microseconds / first.microseconds:.2f} x"
