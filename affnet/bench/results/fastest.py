"""Of results of one file with several settings, the fastest: what an app should run it with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from affnet.bench.results.result import Result
from affnet.units import MILLISECONDS


@dataclass(frozen=True)
class Fastest:
    """The settings of a result."""

    threads: int
    accelerator: str  # gpu, or Core ML's compute units; "" for the CPU
    sentence: str  # what was measured


def fastest(results: Sequence[Result], sha256: str, kinds: Collection[str]) -> Fastest | None:
    """Return the settings with the lowest median for a file on devices of some kinds.

    Results that something speaks against do not count, nor those of other devices than the first
    one's, whose times say nothing of it, nor those of runs that begin with a picture.  None where
    nothing is left.
    """
    fitting = [
        one
        for one in results
        if one.artifact_sha256 == sha256
        and one.environment.get("kind") in kinds
        and one.environment.get("accelerator") != "webgpu"  # packages run WebAssembly
        and one.valid
        and not one.stages_ns
    ]
    of_one = [one for one in fitting if one.device == fitting[0].device]
    if not of_one:
        return None
    best = min(of_one, key=lambda one: one.summary().median)
    chosen = best.environment.get("compute_units") or best.environment.get("accelerator")
    accelerator = str(chosen) if chosen not in (None, "cpu", "wasm") else ""
    time = MILLISECONDS.text(best.summary().median)
    tried = f"of {len(of_one)} settings" if len(of_one) > 1 else "of this setting alone"
    return Fastest(best.threads, accelerator, f"the fastest {tried} on {best.device}, {time}")
