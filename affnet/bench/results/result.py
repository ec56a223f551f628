"""The record of one measurement."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from affnet.bench.statistics.intervals import Interval, mean_interval
from affnet.bench.statistics.summary import Summary, summarise, summarise_blocks
from affnet.bench.statistics.throttling import LatencyCurve, latency_curve
from affnet.devices.base import BlockStatistics, OperatorTime
from affnet.energy import Energy
from affnet.evidence import MeasuredAccuracy
from affnet.parity import Parity
from affnet.placement import PlacedOperator, Placement

if TYPE_CHECKING:
    from pydantic import TypeAdapter

#: Of a result's machine-readable form.  Fields may be added without a new number.
SCHEMA = 1
#: Accuracies that papers quote: fields of ``published``, all in percent, and what they are called.
QUOTED = {"top1_percent": "top-1", "miou_percent": "mIoU", "map_percent": "mAP"}
# fields that JSON holds in another form
_CONVERTED = (
    "accuracy", "blocks_ns", "energy", "ratio_to_peer", "block_statistics", "operators", "parity",
    "placed", "ratios", "workload",
)  # fmt: skip


@dataclass(frozen=True)
class Workload:
    """What a model computes in one run; see `affnet.bench.results.workload`."""

    inputs: tuple[str, ...]  # shape and type of each, such as "1x3x256x256 float32"
    layout: str  # of its images, NCHW or NHWC; "" without any
    outputs: tuple[str, ...]  # as the inputs; an axis of classes has no size
    task: str  # of `affnet.artifact.TASKS`


@dataclass(frozen=True)
class Result:
    """One artifact, measured once on one device.

    Raw samples are kept, statistics derived; where a tool reports statistics only, those are kept.
    """

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
    load_ns: int | None  # None where a phone's tool does not report it, as what follows
    first_inference_ns: int | None
    peak_rss_bytes: int | None  # of a process of its own, runtime included; None: unknown
    file_bytes: int
    parameters: int | None  # None of a file that another tool made
    macs: int | None
    weights: str  # as `affnet.artifact.Provenance`
    published: dict[str, Any] | None  # quoted numbers with their source
    validity_reasons: tuple[str, ...]  # why not to trust it; empty where nothing speaks against it
    environment: dict[str, Any]
    peer: str | None = None
    ratio_to_peer: Interval | None = None
    ratios: dict[str, Interval] = field(default_factory=dict)  # to every peer, where asked for
    # where a tool reports no single runs: its statistics of each turn, whose one sample is a median
    block_statistics: tuple[BlockStatistics, ...] = ()
    limits: tuple[str, ...] = ()  # what a result does not hold that others do
    operators: tuple[OperatorTime, ...] = ()  # of a profile, where one was asked for
    session: str = ""  # the same for all that was measured in the same turns
    recorded_at: str = ""  # UTC, ISO 8601
    exported_error: float | None = None  # of the artifact against PyTorch, when it was exported
    parity: Parity | None = None  # of the device's outputs with this machine's, where compared
    placed: tuple[PlacedOperator, ...] = ()  # where a runtime reports what runs on which unit
    asked_units: tuple[str, ...] = ()  # those that were to run them
    git_commit: str = ""  # of the project in whose folder it was measured
    accuracy: tuple[MeasuredAccuracy, ...] = ()  # of the file, as evaluations recorded it
    pss_bytes: int | None = None  # of that process after its runs, shared pages by their share
    block_starts_s: tuple[float, ...] = ()  # of minutes of load: when each turn began
    proven: bool = True  # whether affnet exported it, and so compared it with its network
    runtime_bytes: int | None = None  # what the runtime itself says that the model takes
    workload: Workload | None = None  # None of a result of an older version
    stages_ns: dict[str, tuple[int, ...]] = field(default_factory=dict)  # parts of each sample
    ratio_doubts: tuple[str, ...] = ()  # why the ratio compares different work, a clause each
    energy: Energy | None = None  # of inferences, where it was asked for and is counted

    @property
    def samples_ns(self) -> tuple[int, ...]:
        """All latency samples in the order they were taken."""
        return tuple(sample for block in self.blocks_ns for sample in block)

    @property
    def sample_kind(self) -> str:
        """What a sample is: the latency of one ``run``, or what stands for a block of runs."""
        if not self.block_statistics:
            return "run"
        medians = all(block.median_ns is not None for block in self.block_statistics)
        return "median of a block" if medians else "mean of a block"

    @property
    def runs(self) -> int:
        """How many inferences were measured."""
        return sum(block.runs for block in self.block_statistics) or len(self.samples_ns)

    @property
    def placement(self) -> Placement | None:
        """Where the operators run; None where that is unknown."""
        return Placement(self.asked_units, self.placed) if self.placed else None

    @property
    def valid(self) -> bool:
        """Whether nothing speaks against the result."""
        return not self.validity_reasons

    @property
    def is_computed(self) -> bool:
        """Whether its numbers are computed by the fake device, and not measured."""
        return "not_measured" in self.environment

    @property
    def hosted(self) -> str | None:
        """The service that measured it by a protocol of its own; None where affnet did."""
        service = self.environment.get("hosted")
        return None if service is None else str(service)

    @property
    def has_random_weights(self) -> bool:
        """Whether the network was never trained."""
        return self.weights.startswith("random")

    @property
    def sustained(self) -> LatencyCurve | None:
        """How latency went under minutes of load; None of a result of another protocol."""
        seen = self.environment.get("during", ())
        return latency_curve(self.blocks_ns, self.block_starts_s, seen)

    @property
    def energy_mj(self) -> Interval | None:
        """The millijoules of one inference; None where they were not counted."""
        if self.energy is None:
            return None
        return mean_interval([window.run_uj / 1e3 for window in self.energy.windows])

    def summary(self) -> Summary:
        """Return the latency statistics."""
        if self.block_statistics:
            return summarise_blocks(self.block_statistics)
        return summarise(self.samples_ns)

    def to_json(self) -> dict[str, Any]:
        """Return the machine-readable form."""
        fields = {
            one.name: getattr(self, one.name)
            for one in dataclasses.fields(self)
            if one.name not in _CONVERTED
        }
        summary, ratio, placement = self.summary(), self.ratio_to_peer, self.placement
        energy = self.energy_mj
        return {
            "result_schema": SCHEMA,
            **fields,
            "samples_ns": list(self.samples_ns),
            "sample_kind": self.sample_kind,
            "runs": self.runs,
            "block_statistics": [dataclasses.asdict(block) for block in self.block_statistics],
            "operators": [dataclasses.asdict(time) for time in self.operators],
            "parity": dataclasses.asdict(self.parity) if self.parity else None,
            "workload": dataclasses.asdict(self.workload) if self.workload else None,
            "accuracy": [dataclasses.asdict(measured) for measured in self.accuracy],
            "placement": placement.units if placement else {},
            "placement_share": placement.share if placement else None,
            "placed": [dataclasses.asdict(operator) for operator in self.placed],
            "block_lengths": [len(block) for block in self.blocks_ns],
            "median_ns": summary.median,
            "p90_ns": summary.p90,
            "p99_ns": summary.p99,
            "minimum_ns": summary.minimum,
            "mean_ns": summary.mean,
            "standard_deviation_ns": summary.standard_deviation,
            "ratio_to_peer": ratio.value if ratio else None,
            "ratio_interval": [ratio.low, ratio.high] if ratio else None,
            "ratios": {name: [r.value, r.low, r.high] for name, r in self.ratios.items()},
            "energy": dataclasses.asdict(self.energy) if self.energy else None,
            "energy_mj": energy.value if energy else None,
            "energy_interval": [energy.low, energy.high] if energy else None,
            "valid": self.valid,
            "hosted": self.hosted,
            "sustained": curve.to_json() if (curve := self.sustained) else None,
        }

    @classmethod
    def from_json(cls, record: Any) -> Result:
        """Read what `to_json` returned; statistics are derived again.

        Raises:
            ValueError: it is no result, or one of a newer schema; with the reason.
        """
        if not isinstance(record, dict) or "samples_ns" not in record:
            raise ValueError("it is no result of affnet bench")
        if (schema := record.get("result_schema", SCHEMA)) != SCHEMA:
            raise ValueError(
                f"its schema is {schema}, this version of affnet reads {SCHEMA}; update affnet"
            )
        from pydantic import ValidationError

        known = {one.name for one in dataclasses.fields(cls)}
        fields = {name: value for name, value in record.items() if name in known}
        _check_texts(fields)
        try:
            fields["blocks_ns"] = _in_blocks(record["samples_ns"], record["block_lengths"])
            if (value := record.get("ratio_to_peer")) is not None:
                fields["ratio_to_peer"] = _interval(value, *record["ratio_interval"])
            fields["ratios"] = {n: _interval(*r) for n, r in record.get("ratios", {}).items()}
            result = _adapter().validate_python(fields)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"{where}: {first['msg'].lower()}") from error
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"it is no whole result ({error})") from error
        return result


@functools.cache  # it takes longer to make than to use a hundred times
def _adapter() -> TypeAdapter[Result]:
    from pydantic import TypeAdapter

    return TypeAdapter(Result)


def quoted_metrics(published: dict[str, Any] | None) -> dict[str, float]:
    """Return the accuracies in ``published``, by the fields of `QUOTED`."""
    known = published or {}
    return {name: known[name] for name in QUOTED if known.get(name) is not None}


def _check_texts(fields: dict[str, Any]) -> None:
    """Raise `ValueError` for what anybody can write into JSON, but no table can show."""
    try:
        json.dumps(fields, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("it holds half of a surrogate pair, which is no character") from error
    if (published := fields.get("published")) is not None:
        known = quoted_metrics(published) if isinstance(published, dict) else {}
        numbers = all(type(value) in (int, float) for value in known.values())
        if not (known and numbers and "source" in published):
            raise ValueError("published: it is no accuracy with its source")


def _interval(value: float, low: float, high: float | None) -> Interval:
    """Read an interval; JSON has no number for infinity."""
    return Interval(value, low, math.inf if high is None else high)


def _in_blocks(samples: list[int], lengths: list[int]) -> tuple[tuple[int, ...], ...]:
    """Return samples in the turns they were taken in."""
    if samples and min(samples) <= 0:
        raise ValueError(f"a run of {min(samples)} ns: the clock did not advance")
    if not samples or sum(lengths) != len(samples) or min(lengths) <= 0:
        raise ValueError(f"its {len(samples)} samples are not those of {len(lengths)} turns")
    ends = list(itertools.accumulate(lengths))
    return tuple(
        tuple(samples[end - length : end]) for end, length in zip(ends, lengths, strict=True)
    )
