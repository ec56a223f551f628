"""The noise floor: the smallest change that an A/A test of each model can detect here.

The file is kept in the user's cache, a line for each machine, runtime and model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affnet.bench.budgets.budget_file import Budget, Place
from affnet.bench.budgets.estimates import estimate_ratio
from affnet.bench.budgets.metrics import METRICS
from affnet.bench.budgets.rounds import measure_rounds, protocol_of
from affnet.bench.budgets.verdicts import ANALYSES, confidence_per_analysis
from affnet.bench.measurement.interleaved import Job, Progress
from affnet.cache import KINDS, locked
from affnet.devices.base import Device
from affnet.errors import BudgetError, first_line
from affnet.files import write_whole
from affnet.reading import parse_json, read_text

_TWIN = "the same once more"


@dataclass(frozen=True)
class Sensitivity:
    """What one model's A/A comparison showed."""

    model: str
    metric: str
    place: Place
    detectable: float  # the smallest change that can be detected, as a fraction
    ratio: float  # of the model to itself; 1 but for chance
    rounds: int


def calibrate(
    jobs: Sequence[Job],
    metrics: Sequence[str],
    device: Device,
    place: Place,
    *,
    rounds: int = ANALYSES[-1],
    progress: Progress = lambda _: None,
) -> list[Sensitivity]:
    """Measure each model against itself, and store how wide the intervals are.

    A change is detected if it is larger than half the interval of a whole check.
    """
    twins = [Job(f"{job.label}, {_TWIN}", job.artifact, job.runtime) for job in jobs]
    measured = measure_rounds(
        [*jobs, *twins],
        device,
        protocol_of(place),
        threads=place.threads,
        max_rounds=rounds,
        memory_counts=any(METRICS[name].of_memory for name in metrics),
        progress=progress,
    )
    level = confidence_per_analysis(len(ANALYSES))
    found = []
    for job, twin in zip(jobs, twins, strict=True):
        for name in metrics:
            ratio = estimate_ratio(measured.new, job.label, twin.label, METRICS[name])
            if ratio is None:
                continue
            interval = ratio.interval(level)
            half = math.sqrt(interval.high / interval.low) - 1
            found.append(Sensitivity(job.label, name, place, half, interval.value, rounds))
    _store(found, device)
    return found


def check_sensitivity(budgets: Sequence[Budget], device: Device, place: Place) -> None:
    """Raise `BudgetError` for a change below this machine's noise floor."""
    known = _read(_file())
    for budget in budgets:
        if not budget.relative_to_baseline:
            continue
        detectable = known.get(_key(budget.model, budget.metric, place, device))
        allowed = budget.limit - 1
        if isinstance(detectable, float) and allowed < detectable:
            raise BudgetError(
                f"{budget.name}: {place.device} cannot detect changes of {budget.model} below "
                f"{detectable:.1%}",
                "raise the limit, or recalibrate on a quieter machine with affnet check "
                "--calibrate.",
            )


def _key(model: str, metric: str, place: Place, device: Device) -> str:
    parts = (device.kind, device.address(), place.runtime, str(place.threads), model, metric)
    return " | ".join(parts)


def _store(found: Sequence[Sensitivity], device: Device) -> None:
    path = _file()
    with locked(path):
        known = _read(path)
        known |= {_key(s.model, s.metric, s.place, device): s.detectable for s in found}
        write_whole(path, json.dumps(known, indent=2) + "\n")


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = parse_json(read_text(path))
    except (OSError, ValueError) as error:
        raise BudgetError(
            f"{path} cannot be read ({first_line(error)})", "remove it and recalibrate."
        ) from error
    return content if isinstance(content, dict) else {}


def _file() -> Path:
    return KINDS["noise-floor"].location()
