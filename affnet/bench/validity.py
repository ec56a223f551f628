"""Whether a measurement can be trusted, and if not, why."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

_BUSY_CORES = 0.25
_DRIFT = 0.10
_SLOW_GOVERNORS = ("powersave", "conservative")


def reasons_against(
    blocks_ns: Sequence[Sequence[int]], environment: dict[str, Any], threads: int
) -> tuple[str, ...]:
    """Return a sentence for each thing that speaks against trusting the samples.

    ``environment["before"]`` holds the device's conditions before the run.
    """
    reasons = []
    before = environment["before"]
    if (busy := before.get("busy_cores") or 0) > _BUSY_CORES:
        reasons.append(f"other processes kept {busy:.1f} cores busy before the run")
    if (governor := before.get("governor")) in _SLOW_GOVERNORS:
        reasons.append(f"the frequency governor is {governor}")
    reasons += [
        f"the system throttled for heat {moment} the run (status {status})"
        for moment in ("before", "after")
        if (status := environment.get(moment, {}).get("thermal_status") or "none") != "none"
    ]
    if threads > (cores := environment.get("hardware_threads") or os.cpu_count() or 1):
        reasons.append(f"{threads} threads on {cores} cores")
    medians = np.array([np.median(block) for block in blocks_ns])
    if len(medians) >= 4:
        quarter = len(medians) // 4
        change = float(np.median(medians[-quarter:]) / np.median(medians[:quarter])) - 1
        if abs(change) > _DRIFT:
            reasons.append(f"latency drifted by {change:+.0%} during the run")
    return tuple(reasons)
