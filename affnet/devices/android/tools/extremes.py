"""What tools have in common that report a run's extremes and mean, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from affnet.devices.android.tools.base import Report, Settings, block_of
from affnet.devices.base import OperatorTime

_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def report_of(output: str, runs: re.Pattern[str], times: re.Pattern[str]) -> Report:
    """Return what a tool printed.

    Args:
        output: its text.
        runs: finds the number of runs, its first group.
        times: finds ``min``, ``max`` and ``avg`` in ms, groups of these names.

    Raises:
        ValueError: it holds neither.
    """
    counted, timed = runs.search(output), times.search(output)
    if counted is None or timed is None:
        raise ValueError("it reports no runs and their times")
    peaks = [int(text) * 1024 for text in _PEAK.findall(output)]
    return Report(
        load_ns=None,
        first_inference_ns=None,
        block=block_of(counted[1], timed["min"], timed["max"], timed["avg"]),
        peak_rss_bytes=max(peaks, default=None),
    )


def outputs(_files: Mapping[str, bytes]) -> bytes | None:
    """See `affnet.devices.android.tools.base.Tool.outputs`: they write none."""
    return None


def placement(_model: Path, _report: Report, _settings: Settings) -> None:
    """See `affnet.devices.android.tools.base.Tool.placement`: nothing names the operators."""


def operators(_output: str, _files: Mapping[str, bytes], _runs: int) -> list[OperatorTime]:
    """See `affnet.devices.android.tools.base.Tool.operators`: they report none."""
    return []
