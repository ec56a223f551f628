"""The record of one measurement."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from affnet.bench.statistics import Ratio, Summary, summarise


@dataclass(frozen=True)
class Result:
    """One artifact, measured once on one device.  Raw samples are kept, statistics derived."""

    model: str  # the row's name
    artifact: str
    artifact_sha256: str
    format: str
    runtime: str
    runtime_version: str
    device: str
    threads: int
    precision: str
    protocol: str
    blocks_ns: tuple[tuple[int, ...], ...]  # latency samples, one tuple per turn
    warmup_ns: tuple[int, ...]
    load_ns: int
    first_inference_ns: int
    peak_rss_bytes: int  # of a process of its own: interpreter, runtime and model
    file_bytes: int
    parameters: int
    macs: int
    weights: str  # "trained" or "random (seed 0)"
    published: dict[str, Any] | None  # quoted numbers with their source
    validity_reasons: tuple[str, ...]  # why not to trust it; empty where nothing speaks against it
    environment: dict[str, Any]
    peer: str | None = None
    ratio_to_peer: Ratio | None = None

    @property
    def samples_ns(self) -> tuple[int, ...]:
        """All latency samples in the order they were taken."""
        return tuple(sample for block in self.blocks_ns for sample in block)

    @property
    def valid(self) -> bool:
        """Whether nothing speaks against the result."""
        return not self.validity_reasons

    def summary(self) -> Summary:
        """Return the latency statistics."""
        return summarise(self.samples_ns)

    def to_json(self) -> dict[str, Any]:
        """Return the machine-readable form."""
        fields = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("blocks_ns", "ratio_to_peer")
        }
        summary, ratio = self.summary(), self.ratio_to_peer
        return {
            **fields,
            "samples_ns": list(self.samples_ns),
            "block_lengths": [len(block) for block in self.blocks_ns],
            "median_ns": summary.median,
            "p90_ns": summary.p90,
            "p99_ns": summary.p99,
            "minimum_ns": summary.minimum,
            "mean_ns": summary.mean,
            "standard_deviation_ns": summary.standard_deviation,
            "ratio_to_peer": ratio.value if ratio else None,
            "ratio_interval": [ratio.low, ratio.high] if ratio else None,
            "valid": self.valid,
        }
