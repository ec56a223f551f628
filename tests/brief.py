"""Presets that measure as many runs as users' do, in turns as ever, but not for seconds on end."""

from __future__ import annotations

import dataclasses

from affnet.bench.measurement.protocol import PRESETS, Protocol


def brief_presets() -> dict[str, Protocol]:
    """Return them by the names of those that they stand for."""
    bounds = {"min_seconds": 0.01, "max_warmup_seconds": 0.05, "block_seconds": 0.01}
    names = ("default", "quick", "check")
    return {name: dataclasses.replace(PRESETS[name], **bounds) for name in names}
