"""How a measurement is made: how long to warm up, how much to measure, how to interleave."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass

from affnet.errors import UnknownNameError, UsageError


@dataclass(frozen=True)
class Protocol:
    """The bounds of one measurement.

    Every model is warmed up until the median of a block stops falling, then measured in short
    blocks in turn with the others, A B B A, until each has both enough runs and enough seconds.
    """

    name: str
    min_runs: int
    min_seconds: float
    max_warmup_seconds: float = 3.0
    block_seconds: float = 0.15
    min_block_runs: int = 4
    # After a switch of processes caches are cold and the core's frequency may have changed.
    discarded_per_block: int = 2
    # Under load for minutes the device's state is looked at so often, between turns.
    watch_seconds: float | None = None
    # A run goes from the file of this picture to an answer; None: it is inference alone.
    picture: bytes | None = None
    # Also the energy of inferences, in a pass of its own.
    energy: bool = False


PRESETS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("default", min_runs=100, min_seconds=2.0),
        Protocol("quick", min_runs=30, min_seconds=0.5, max_warmup_seconds=1.0),
        Protocol("check", min_runs=20, min_seconds=0.3, max_warmup_seconds=0.5),
        Protocol("benchmark_model", min_runs=50, min_seconds=1.0),
        Protocol("mlperf", min_runs=1024, min_seconds=60.0),
    )
}


def sustained(minutes: float) -> Protocol:
    """Return the protocol of a model that runs for so many minutes.

    Turns are longer: on a phone each is a start of the runtime's tool, during which it cools.
    """
    seconds = 60 * minutes
    return Protocol(
        f"sustained {minutes:g} min",
        min_runs=40,
        min_seconds=seconds,
        block_seconds=min(5.0, seconds / 40),
        watch_seconds=min(15.0, seconds / 10),
    )


def get_protocol(name: str) -> Protocol:
    """Return the preset called ``name``."""
    if name not in PRESETS:
        raise UnknownNameError("preset", name, PRESETS)
    return PRESETS[name]


def from_picture(protocol: Protocol, picture: bytes) -> Protocol:
    """Return the protocol whose runs begin with the file of a picture, which its name tells."""
    name = f"{protocol.name}, from picture {hashlib.sha256(picture).hexdigest()[:8]}"
    return dataclasses.replace(protocol, name=name, picture=picture)


def choose_protocol(preset: str, minutes: float | None) -> Protocol:
    """Return a preset, or the protocol of ``minutes`` of load if any are asked for.

    Raises:
        UsageError: both are.
    """
    if minutes is None:
        return get_protocol(preset)
    if preset != "default":
        raise UsageError("--sustained is a protocol of its own", "omit --preset.")
    return sustained(minutes)
