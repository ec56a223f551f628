"""Presets that measure as many runs as users' do, in turns as ever, but not for seconds on end."""

from __future__ import annotations

import dataclasses

from affnet.bench.measurement.protocol import PRESETS, Protocol


def brief_presets() -> dict[str, Protocol]:
    """Return them by the names of those that they stand for; in ten turns, or intervals lack."""
    return {name: _brief(PRESETS[name]) for name in ("default", "quick", "check")}


def _brief(preset: Protocol) -> Protocol:
    return dataclasses.replace(preset, min_seconds=0.1, max_warmup_seconds=0.05, block_seconds=0.01)
