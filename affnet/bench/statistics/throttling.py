"""How latency changes over minutes of load as the device heats up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from affnet.units import MILLISECONDS

_WINDOWS = 10  # of the whole time, each with as many turns
_SLOWER = 0.10  # than in the first window; less is noise
_SLOWER_WINDOW = 0.05
BUSY_CORES = 0.25  # of other processes, above which a result is in doubt
_STATE = ("temperature_celsius", "frequency_mhz", "thermal_status")


@dataclass(frozen=True)
class Window:
    """A tenth of the time."""

    seconds: float  # at which it began
    median_ns: float
    state: Mapping[str, Any]  # the device's, as it was last seen before its end


@dataclass(frozen=True)
class LatencyCurve:
    """One model's latency over time."""

    windows: tuple[Window, ...]
    baseline_ns: float  # the median of the first window
    final_ns: float  # of the last quarter of all turns
    other_busy_cores: float  # cores that other processes kept busy meanwhile, typically
    thermal_status: str | None  # reported most often, other than "none"

    @property
    def change(self) -> float:
        """By which fraction the latency rose."""
        return self.final_ns / self.baseline_ns - 1

    @property
    def throttled(self) -> bool:
        """Whether the device's thermal status shows it, or the curve of a device left alone."""
        return self.thermal_status is not None or (
            self.change > _SLOWER and self.other_busy_cores <= BUSY_CORES
        )

    def throttled_from_seconds(self) -> float | None:
        """Return when it became slower for good, in seconds; None if it did not."""
        slower = [s.median_ns > self.baseline_ns * (1 + _SLOWER_WINDOW) for s in self.windows]
        if not (self.throttled and slower[-1]):
            return None
        first = max((i for i, slow in enumerate(slower) if not slow), default=-1) + 1
        return self.windows[first].seconds

    def sentence(self) -> str:
        """Say it to a person, without full stop."""
        text = (
            f"went from {MILLISECONDS.text(round(self.baseline_ns))} to "
            f"{MILLISECONDS.text(round(self.final_ns))} ({self.change:+.0%}): "
        )
        if not self.throttled:
            if self.change <= _SLOWER:
                return f"{text}not throttled"
            return (
                f"{text}slower, while other processes kept {self.other_busy_cores:.1f} cores busy"
            )
        text += "throttled"
        if (since := self.throttled_from_seconds()) is not None:
            text += f" from minute {since / 60:.1f} on"
        return f"{text}, thermal status {self.thermal_status}" if self.thermal_status else text

    def to_json(self) -> dict[str, Any]:
        """Return the machine-readable form."""
        return {
            "throttled": self.throttled,
            "throttled_from_seconds": self.throttled_from_seconds(),
            "early_median_ns": self.baseline_ns,
            "late_median_ns": self.final_ns,
            "thermal_status": self.thermal_status,
            "busy_cores_of_others": self.other_busy_cores,
            "curve": [
                {"seconds": s.seconds, "median_ns": s.median_ns, **s.state} for s in self.windows
            ],
        }


def latency_curve(
    blocks_ns: Sequence[Sequence[int]], starts_s: Sequence[float], seen: Sequence[Mapping[str, Any]]
) -> LatencyCurve | None:
    """Return the curve of turns that began at ``starts_s``; None for fewer than four."""
    if len(starts_s) < 4:
        return None
    windows = []
    for turns in np.array_split(np.arange(len(starts_s)), min(_WINDOWS, len(starts_s))):
        following = turns[-1] + 1
        end = starts_s[following] if following < len(starts_s) else float("inf")
        before = [state for state in seen if state["seconds"] <= end]
        state = {name: before[-1].get(name) for name in _STATE} if before else {}
        samples = np.concatenate([blocks_ns[turn] for turn in turns])
        windows.append(Window(starts_s[turns[0]], float(np.median(samples)), state))
    late = blocks_ns[-(len(blocks_ns) // 4) :]
    statuses = [s for state in seen if (s := state.get("thermal_status") or "none") != "none"]
    return LatencyCurve(
        tuple(windows),
        windows[0].median_ns,
        float(np.median(np.concatenate(late))),
        float(np.median([state.get("busy_cores") or 0.0 for state in seen])) if seen else 0.0,
        max(statuses, key=statuses.count) if statuses else None,
    )
