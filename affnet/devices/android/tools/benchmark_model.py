"""The command line and the output of LiteRT's ``benchmark_model``.

There are two tools of this name, TensorFlow Lite's and LiteRT's.  Both print the lines read here,
written by the class they share (tflite/tools/benchmark/benchmark_model.cc)::

    INFO: Initialized session in 4.478ms.
    INFO: count=1055 first=1033 curr=473 min=443 max=1033 avg=465.319 std=18 p5=459 median=463 p95=478
    INFO: count=2112 first=463 curr=459 min=442 max=979 avg=464.545 std=13 p5=460 median=462 p95=478

The first count is the warm-up's, the second the measurement's; times are microseconds.  Neither
tool reports the latencies of single runs, on its output or in a file: ``--result_file_path`` of
LiteRT's holds the same statistics, profiles are averages of operators.  Tools before 2025 lack the
percentiles.  TensorFlow's ``Stat`` writes ``count=5 curr=463 (all same)`` where all runs agree.

Only TensorFlow Lite's takes an input from a file and writes its outputs to one
(``--input_layer_value_files``, ``--output_filepath``: tensors as they stand in memory, one after the
other).  LiteRT's, up to 2.2.0 at least, says that it knows neither flag.  Both print the same table
of operators, asked for by ``--enable_op_profiling`` and by ``--use_profiler``; each reports the
other's flag to be unknown.
"""  # noqa: E501  # lines of the tool

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from pathlib import Path

from affnet.devices.android.tools.base import Invocation, Report, Settings
from affnet.devices.base import BlockStatistics, OperatorTime
from affnet.errors import MissingError
from affnet.placement import CPU, PlacedOperator, Placement
from affnet.runtimes.litert import file_nodes
from affnet.runtimes.litert_log import DelegateLog

_LOAD = re.compile(r"Initialized session in ([\d.e+]+) ?ms")
_COUNT = re.compile(r"^(?:INFO: )?(count=\d+.*)$", re.MULTILINE)  # not a profile's "Timings (..)"
_FIELD = re.compile(r"(\w+)=([\d.]+(?:e[+-]?\d+)?)")
_PEAK = re.compile(
    r"(?:Overall peak memory footprint \(MB\) via periodic monitoring:|Peak memory:) +([\d.]+)"
)
# what its allocator holds more than when it began, after the runs
_GROWN = re.compile(r"Memory footprint delta from the start of the tool \(MB\): .*overall=([\d.]+)")
_IGNORED = re.compile(r"Unconsumed cmdline flags: (.*)")
_PROFILE_OF_TFLITE, _PROFILE_OF_LITERT = "--enable_op_profiling=true", "--use_profiler=true"
#: What one of the tools does not know: LiteRT's always uses XNNPACK, and each has its own profiler.
_HARMLESS = ("--use_xnnpack=true", _PROFILE_OF_TFLITE, _PROFILE_OF_LITERT)
_OUTPUTS = "outputs"
_REGULAR = "Operator-wise Profiling Info for Regular Benchmark Runs:"  # after that of the loading
_RUN_ORDER = re.compile(r"^=+ Run Order =+\s*$", re.MULTILINE)
_ROW = re.compile(
    r"(?P<type>.+?)\s+(?:[\d.]+\s+)?[\d.]+\s+(?P<mean>[\d.]+)\s+\S+%\s+\S+%\s+[\d.]+\s+"
    r"(?P<called>\d+)\s+(?P<name>.*)"
)
_INSIDE = (
    "Delegate/",
    "[Delegate]:",
)  # TensorFlow Lite's names for a delegate's rows, and LiteRT's
_COUNTED_OVER_ALL_RUNS = ("[Builtin]:", "[Delegate]:")  # LiteRT's nodes, each called once in a run

NAME = "benchmark_model"
LIMITS: tuple[str, ...] = ("each turn of benchmark_model loads the model anew",)
WRITES_OUTPUTS = True
WRITES_SAMPLES = False
TELLS_MEMORY = True
WARMS_UP = True
BUILD = "LiteRT publishes it"


def arguments(invocation: Invocation, settings: Settings) -> list[str]:
    """See `affnet.devices.android.tools.base.Tool.arguments`."""
    chosen = [
        f"--graph={invocation.graph}",
        f"--num_threads={settings.threads}",
        f"--num_runs={invocation.runs}",
        "--min_secs=0",  # else it goes on for a second
        f"--warmup_runs={max(1, invocation.warmup_runs)}",  # the first gives the first inference
        f"--warmup_min_secs={settings.warmup_seconds:g}",
        f"--use_xnnpack={'true' if settings.xnnpack else 'false'}",
    ]
    if settings.gpu:
        chosen.append("--use_gpu=true")
    if invocation.memory:
        chosen += ["--report_peak_memory_footprint=true", "--memory_footprint_check_interval_ms=5"]
    if invocation.profile:
        chosen += [_PROFILE_OF_TFLITE, _PROFILE_OF_LITERT]
    if invocation.inputs:
        # the names need not be the model's, says the tool's README; colons are doubled
        names = [f"input_{index}" for index in range(len(invocation.inputs))]
        shapes = [",".join(map(str, fed.shape)) for fed in invocation.inputs]
        files = [fed.path.replace(":", "::") for fed in invocation.inputs]
        chosen += [
            f"--input_layer={','.join(names)}",
            f"--input_layer_shape={':'.join(shapes)}",
            f"--input_layer_value_files={','.join(map(':'.join, zip(names, files, strict=True)))}",
            f"--output_filepath={invocation.folder}/{_OUTPUTS}",
        ]
    return chosen


def parse(output: str, _files: Mapping[str, bytes]) -> Report:
    """See `affnet.devices.android.tools.base.Tool.parse`."""
    load = _LOAD.search(output)
    counts = [_FIELD.findall(line) for line in _COUNT.findall(output)]
    if load is None or len(counts) < 2:
        raise ValueError("it reports no initialization, warm-up and measurement")
    warmup, block = (_statistics(dict(fields)) for fields in counts[:2])
    peak = _PEAK.search(output)
    grown = _GROWN.search(output)
    ignored = _IGNORED.search(output)
    return Report(
        load_ns=round(float(load[1]) * 1e6),
        first_inference_ns=warmup.first_ns,
        block=block,
        peak_rss_bytes=round(float(peak[1]) * (1 << 20)) if peak else None,
        runtime_bytes=round(float(grown[1]) * (1 << 20)) if grown else None,
        delegates=DelegateLog.read(output),
        ignored=tuple(flag for flag in ignored[1].split() if flag not in _HARMLESS)
        if ignored
        else (),
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


def outputs(files: Mapping[str, bytes]) -> bytes | None:
    """See `Tool.outputs`: the tensors' bytes, one after the other."""
    return files.get(_OUTPUTS)


def placement(model: Path, report: Report, settings: Settings) -> Placement | None:
    """See `affnet.devices.android.tools.base.Tool.placement`."""
    try:
        nodes = file_nodes(model)
    except MissingError:  # then they are counted, but have no names
        nodes = []
    if settings.gpu or settings.xnnpack:
        return report.delegates.placement("gpu" if settings.gpu else "xnnpack", nodes)
    return Placement((CPU,), tuple(PlacedOperator(*node, CPU) for node in nodes))


def operators(output: str, _files: Mapping[str, bytes], _runs: int) -> list[OperatorTime]:
    """See `affnet.devices.android.tools.base.Tool.operators`.

    The rows of each table in run order count: a delegate has a table of its own, or rows of its
    own, and then the node that stands for the delegate as a whole is left out.
    """
    found = [[_operator(row) for row in table] for table in _tables(output)]
    # what a delegate reports of its inside is the time of the node that stands for it, again
    inside = len(found) > 1 or any(
        time.name.startswith(_INSIDE) for table in found for time in table
    )
    first, *others = found or [[]]
    kept = [time for time in first if not (inside and _stands_for_delegate(time))]
    return [*kept, *(time for table in others for time in table)]


def _tables(output: str) -> list[list[str]]:
    """Return the rows of each table in run order of the measured runs."""
    _, marked, regular = output.partition(_REGULAR)
    tables = []
    for part in _RUN_ORDER.split(regular if marked else output)[1:]:
        _heads, *rows = part.strip("\n").split("\n")
        tables.append(list(itertools.takewhile(lambda row: row.strip(), rows)))
    return tables


def _operator(row: str) -> OperatorTime:
    """Read a row: type, start (not in all versions), first and mean in ms, shares, calls, name."""
    fields = _ROW.fullmatch(row.strip())
    if fields is None:
        raise ValueError(f"a row of its profile is {row.strip()[:60]!r}")
    once = fields["name"].startswith(_COUNTED_OVER_ALL_RUNS)
    calls = 1 if once else int(fields["called"])
    return OperatorTime(fields["name"], fields["type"], round(float(fields["mean"]) * 1e6) * calls)


def _stands_for_delegate(time: OperatorTime) -> bool:
    return "delegate" in time.operator.lower() and not time.name.startswith(_INSIDE)
