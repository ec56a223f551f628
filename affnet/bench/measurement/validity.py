"""Whether a measurement can be trusted, and if not, why."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from affnet.bench.statistics.throttling import BUSY_CORES

_DRIFT = 0.10
_ENOUGH_FOR_CLOCK = 10  # samples
_COARSE = 0.01  # of the median
_STEP, _STEP_NS = 100, 2_000_000_000
_SLOW_GOVERNORS = ("powersave", "conservative")


def reasons_against(
    blocks_ns: Sequence[Sequence[int]], environment: dict[str, Any], threads: int
) -> tuple[str, ...]:
    """Return a sentence for each thing that speaks against trusting the samples.

    ``environment["before"]`` holds the device's conditions before the run.
    """
    reasons = list(disturbances(blocks_ns, environment))
    if (governor := environment["before"].get("governor")) in _SLOW_GOVERNORS:
        reasons.append(f"the frequency governor is {governor}")
    if threads > (cores := environment.get("hardware_threads") or os.cpu_count() or 1):
        reasons.append(f"{threads} threads on {cores} cores")
    return (*reasons, *_clock_faults([ns for block in blocks_ns for ns in block]))


def disturbances(
    blocks_ns: Sequence[Sequence[int]], environment: dict[str, Any]
) -> tuple[str, ...]:
    """Return a sentence for each thing that can have slowed this run alone."""
    reasons = []
    if (busy := environment.get("before", {}).get("busy_cores") or 0) > BUSY_CORES:
        reasons.append(f"other processes kept {busy:.1f} cores busy before the run")
    if "during" in environment:  # of minutes of load, heat and drift are what is looked for
        return tuple(reasons)
    reasons += [
        f"the system throttled for heat {moment} the run (status {status})"
        for moment in ("before", "after")
        if (status := environment.get(moment, {}).get("thermal_status") or "none") != "none"
    ]
    medians = np.array([np.median(block) for block in blocks_ns])
    if len(medians) >= 4:
        quarter = len(medians) // 4
        change = float(np.median(medians[-quarter:]) / np.median(medians[:quarter])) - 1
        if abs(change) > _DRIFT:
            reasons.append(f"latency drifted by {change:+.0%} during the run")
    return tuple(reasons)


def _clock_faults(samples_ns: Sequence[int]) -> list[str]:
    """Say where samples show a clock that is too coarse, that stands still or that steps."""
    if len(samples_ns) < _ENOUGH_FOR_CLOCK:
        return []
    median, longest, step = float(np.median(samples_ns)), max(samples_ns), math.gcd(*samples_ns)
    faults = []
    if min(samples_ns) == longest:
        faults.append(
            f"all {len(samples_ns)} runs have the same duration; the clock is not working"
        )
    elif step > _COARSE * median:
        faults.append(f"the clock only resolves {step / median:.0%} of the latency")
    if longest > max(_STEP * median, _STEP_NS):
        faults.append(
            f"one run took {longest / 1e9:.0f} s, {longest / median:.0f} times the median: the "
            "system slept, or its clock stepped"
        )
    return faults
