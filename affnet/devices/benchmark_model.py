"""The command line and the output of LiteRT's ``benchmark_model``.

There are two tools of this name, TensorFlow Lite's and LiteRT's.  Both print the lines read here,
written by the class they share (tflite/tools/benchmark/benchmark_model.cc)::

    INFO: Initialized session in 4.478ms.
    INFO: count=1055 first=1033 curr=473 min=443 max=1033 avg=465.319 std=18 p5=459 median=463 p95=478
    INFO: count=2112 first=463 curr=459 min=442 max=979 avg=464.545 std=13 p5=460 median=462 p95=478

The first count is the warm-up's, the second the measurement's; times are microseconds.  Neither
tool tells the latencies of single runs, on its output or in a file: ``--result_file_path`` of
LiteRT's holds the same statistics, profiles are averages of operators.  Tools before 2025 lack the
percentiles.  TensorFlow's ``Stat`` writes ``count=5 curr=463 (all same)`` where all runs agree.
"""  # noqa: E501  # lines of the tool

from __future__ import annotations

import re
from dataclasses import dataclass

from affnet.devices import BlockStatistics

_LOAD = re.compile(r"Initialized session in ([\d.e+]+) ?ms")
_COUNT = re.compile(r"^(?:INFO: )?(count=\d+.*)$", re.MULTILINE)  # not a profile's "Timings (..)"
_FIELD = re.compile(r"(\w+)=([\d.]+(?:e[+-]?\d+)?)")
_PEAK = re.compile(
    r"(?:Overall peak memory footprint \(MB\) via periodic monitoring:|Peak memory:) +([\d.]+)"
)
_DELEGATED = re.compile(r"Replacing (\d+) out of (\d+) node\(s\) with delegate \(([^)]+)\)")
_IGNORED = re.compile(r"Unconsumed cmdline flags: (.*)")
#: What LiteRT's own tool does not know, because it always does so.
_IMPLIED = "--use_xnnpack=true"


@dataclass(frozen=True)
class Settings:
    """How the tool runs a model, whatever it measures."""

    threads: int
    gpu: bool = False
    xnnpack: bool = True
    warmup_seconds: float = 0.5


@dataclass(frozen=True)
class Report:
    """What one invocation tells."""

    load_ns: int
    first_inference_ns: int
    block: BlockStatistics
    peak_rss_bytes: int | None  # where it was asked for
    delegated: tuple[tuple[int, int, str], ...]  # nodes taken, of how many, by which delegate
    ignored: tuple[str, ...]  # flags the tool does not know


def arguments(
    graph: str, settings: Settings, *, runs: int, warmup_runs: int, memory: bool = False
) -> list[str]:
    """Return the tool's arguments for ``runs`` measured runs, not more and not fewer."""
    chosen = [
        f"--graph={graph}",
        f"--num_threads={settings.threads}",
        f"--num_runs={runs}",
        "--min_secs=0",  # else it goes on for a second
        f"--warmup_runs={max(1, warmup_runs)}",  # the first one tells the first inference
        f"--warmup_min_secs={settings.warmup_seconds:g}",
        f"--use_xnnpack={'true' if settings.xnnpack else 'false'}",
    ]
    if settings.gpu:
        chosen.append("--use_gpu=true")
    if memory:
        chosen += ["--report_peak_memory_footprint=true", "--memory_footprint_check_interval_ms=5"]
    return chosen


def parse(output: str) -> Report:
    """Read the tool's output.

    Raises:
        ValueError: it is not the output of a benchmark that was finished; the message says why.
    """
    load = _LOAD.search(output)
    counts = [_FIELD.findall(line) for line in _COUNT.findall(output)]
    if load is None or len(counts) < 2:
        raise ValueError("it tells no initialisation, warm-up and measurement")
    warmup, block = (_statistics(dict(fields)) for fields in counts[:2])
    peak = _PEAK.search(output)
    ignored = _IGNORED.search(output)
    return Report(
        load_ns=round(float(load[1]) * 1e6),
        first_inference_ns=warmup.first_ns,
        block=block,
        peak_rss_bytes=round(float(peak[1]) * (1 << 20)) if peak else None,
        delegated=tuple((int(n), int(of), name) for n, of, name in _DELEGATED.findall(output)),
        ignored=tuple(flag for flag in ignored[1].split() if flag != _IMPLIED) if ignored else (),
    )


def _statistics(fields: dict[str, str]) -> BlockStatistics:
    """Turn ``count=.. curr=..`` into our units; what all runs share is written once."""
    try:
        runs = int(fields["count"])
        nanoseconds = {name: round(float(text) * 1000) for name, text in fields.items()}
        last = nanoseconds["curr"]
    except (KeyError, ValueError):
        raise ValueError(f"its statistics are {fields}") from None
    if runs < 1 or last <= 0:
        raise ValueError(f"it ran {runs} times")
    return BlockStatistics(
        runs=runs,
        first_ns=nanoseconds.get("first", last),
        last_ns=last,
        minimum_ns=nanoseconds.get("min", last),
        maximum_ns=nanoseconds.get("max", last),
        mean_ns=nanoseconds.get("avg", last),
        standard_deviation_ns=nanoseconds.get("std", 0),
        p5_ns=nanoseconds.get("p5"),
        median_ns=nanoseconds.get("median"),
        p95_ns=nanoseconds.get("p95"),
    )


def complaint(output: str) -> str:
    """Return the line that says best what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines[-1:] or ["it said nothing"])[0]
