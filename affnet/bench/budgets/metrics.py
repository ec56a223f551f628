"""What of a result can be budgeted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from affnet.bench.results.result import Result


@dataclass(frozen=True)
class Metric:
    """A number of a result; less is better, unless it is ``at_least``."""

    value: Callable[[Result], float | None]
    dimension: str | None  # time in ns, bytes, mJ, share 0..1, or a plain number
    quantile: float | None = None  # of a latency: which percentile of the samples
    exact: bool = False  # the same each time
    at_least: bool = False  # more is better, and nothing is divided by it
    pipeline: bool = False  # of runs that begin with a picture's file, see `bench --pipeline`

    @property
    def of_memory(self) -> bool:
        """Whether it is taken in the memory's own pass."""
        return self.dimension == "bytes" and not self.exact


def _error(result: Result) -> float | None:
    """Return the larger error of those known: at export against PyTorch, and on the device."""
    on_device = result.parity.max_rel_error if result.parity else None
    return max((e for e in (result.exported_error, on_device) if e is not None), default=None)


def _placement(result: Result) -> float | None:
    """Return the share of the operators that ran where they were asked to."""
    return result.placement.share if result.placement else None


METRICS: dict[str, Metric] = {
    "median": Metric(lambda r: r.summary().median, "time", quantile=0.5),
    "p90": Metric(lambda r: r.summary().p90, "time", quantile=0.9),
    "p99": Metric(lambda r: r.summary().p99, "time", quantile=0.99),
    "pipeline": Metric(lambda r: r.summary().median, "time", quantile=0.5, pipeline=True),
    "pipeline_p90": Metric(lambda r: r.summary().p90, "time", quantile=0.9, pipeline=True),
    "load": Metric(lambda r: r.load_ns, "time"),
    "first_inference": Metric(lambda r: r.first_inference_ns, "time"),
    "energy_mj": Metric(lambda r: e.value if (e := r.energy_mj) else None, "energy"),
    "peak_memory": Metric(lambda r: r.peak_rss_bytes, "bytes"),
    "pss": Metric(lambda r: r.pss_bytes, "bytes"),
    "file_size": Metric(lambda r: r.file_bytes, "bytes", exact=True),
    "parity": Metric(_error, None, exact=True),
    "placement": Metric(_placement, "share", exact=True, at_least=True),
}
