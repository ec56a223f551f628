"""Which results are comparable."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from affnet.bench.results.result import Result

#: Where numbers come from.
MEASURED, HOSTED, COMPUTED = "measured", "measured by a hosting service", "computed"


@dataclass(frozen=True)
class MeasurementConditions:
    """Where and how a result was measured."""

    device: str
    hardware: str | None  # the model of a phone or board
    processor: str | None
    hardware_threads: int | None
    threads: int
    protocol: str
    samples: str  # what each of them is, see `Result.sample_kind`
    values: str  # measured, here or by a hosting service, or computed by the fake device

    @classmethod
    def of(cls, result: Result) -> MeasurementConditions:
        """Return a result's."""
        environment = result.environment
        return cls(
            device=result.device,
            hardware=_text(environment.get("model")),
            processor=_processor(environment),
            hardware_threads=environment.get("hardware_threads"),
            threads=result.threads,
            protocol=result.protocol,
            samples=result.sample_kind,
            values=_values(result),
        )

    def title(self) -> str:
        """Return a heading for what has these conditions."""
        hardware = ", ".join(filter(None, (self.hardware, self.processor)))
        place = f"{self.device} ({hardware})" if hardware else self.device
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        if self.values == HOSTED:
            threads = "unknown threads"
        return (
            f"{place}, {threads}, protocol {self.protocol}, each sample a {self.samples}: "
            f"{self.values}"
        )

    def difference(self, other: MeasurementConditions) -> str:
        """Name the first trait that differs, with both values; "" if none does."""
        for field in dataclasses.fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if mine != theirs:
                return f"{_NAMES[field.name]} {mine!r} and {theirs!r}"
        return ""

    def distance(self, other: MeasurementConditions) -> int:
        """Return how many conditions differ."""
        return sum(
            mine != theirs
            for mine, theirs in zip(
                dataclasses.astuple(self), dataclasses.astuple(other), strict=True
            )
        )

    def key(self) -> str:
        """Return a short text that is the same for the same conditions only."""
        return hashlib.sha256(json.dumps(dataclasses.astuple(self)).encode()).hexdigest()


def _processor(environment: Mapping[str, Any]) -> str | None:
    """Return what computed: the CPU's name, and the accelerator that was asked for beside it."""
    accelerator = environment.get("accelerator")
    other = None if accelerator in ("cpu", "wasm") else _text(accelerator)
    return " with ".join(filter(None, (_text(environment.get("cpu")), other))) or None


def _values(result: Result) -> str:
    if result.is_computed:
        return COMPUTED
    return MEASURED if result.hosted is None else HOSTED


def _text(value: object) -> str | None:
    """Return what a file holds where a name should stand; whatever it is, it can be compared."""
    return None if value is None else str(value)


_NAMES = {
    "device": "the devices are",
    "hardware": "the devices' models are",
    "processor": "the processors are",
    "hardware_threads": "the processors' hardware threads are",
    "threads": "the threads are",
    "protocol": "the protocols are",
    "samples": "the kinds of samples are",
    "values": "the values are",
}
