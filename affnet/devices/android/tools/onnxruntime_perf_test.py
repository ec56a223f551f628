"""The command line, the output and the files of ONNX Runtime's ``onnxruntime_perf_test``.

It generates inputs (``-I``), runs once, then ``-r`` times, and after the last of them writes to its
result file a line for each: model, seconds, peak memory, CPU usage and number, comma-separated.  On
its output stand, among others::

    Session creation time cost: 0.0183481 s
    First inference time cost: 2 ms
    Peak working set size: 50905088 bytes

(onnxruntime/test/perftest/performance_runner.cc).  It has no warm-up beyond that first run, so ours
are its first measured ones.  ``-v`` would print each run too, but also log all that the runtime
does.  With ``-p`` the runtime's profiler writes a file whose name begins so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from affnet.devices.android.tools.base import Invocation, Report, Settings
from affnet.devices.base import OperatorTime
from affnet.placement import CPU, PlacedOperator, Placement
from affnet.runtimes.onnxruntime import file_nodes
from affnet.runtimes.onnxruntime_profile import operator_times

NAME = "onnxruntime_perf_test"
LIMITS: tuple[str, ...] = (
    "each turn of onnxruntime_perf_test loads the model anew, and its inputs are random numbers",
)
WRITES_OUTPUTS = False
WRITES_SAMPLES = True
TELLS_MEMORY = True
WARMS_UP = False
BUILD = (
    "build it with ONNX Runtime's build.sh --android --android_abi arm64-v8a, which leaves it in "
    "build/Android"
)
_LOAD = re.compile(r"^Session creation time cost: ([\d.e+-]+) s", re.MULTILINE)
_FIRST = re.compile(r"^First inference time cost: (\d+) ms", re.MULTILINE)
_PEAK = re.compile(r"^Peak working set size: (\d+) bytes", re.MULTILINE)
_SAMPLES, _PROFILE = "samples", "profile"


def arguments(invocation: Invocation, settings: Settings) -> list[str]:
    """See `affnet.devices.android.tools.base.Tool.arguments`."""
    chosen = ["-e", "cpu", "-m", "times", "-r", str(invocation.warmup_runs + invocation.runs)]
    chosen += ["-x", str(settings.threads), "-y", "1"]
    chosen += ["-I", "-S", "1"]  # the seed: without one the inputs are left as they were
    if invocation.profile:
        chosen += ["-p", f"{invocation.folder}/{_PROFILE}"]
    return [*chosen, invocation.graph, f"{invocation.folder}/{_SAMPLES}"]


def parse(output: str, files: Mapping[str, bytes]) -> Report:
    """See `affnet.devices.android.tools.base.Tool.parse`."""
    load, first, peak = (pattern.search(output) for pattern in (_LOAD, _FIRST, _PEAK))
    if load is None or first is None or _SAMPLES not in files:
        raise ValueError("it reports no creation of a session, first inference and single runs")
    rows = files[_SAMPLES].decode(errors="replace").split("\n\n")[0].split()
    try:
        # the model's name may hold commas; four fields stand after it
        samples = tuple(round(float(row.rsplit(",", 4)[1]) * 1e9) for row in rows)
    except (IndexError, ValueError):
        raise ValueError("its result file is none") from None
    if not samples or min(samples) <= 0:
        raise ValueError("a run took no time")
    return Report(
        load_ns=round(float(load[1]) * 1e9),
        first_inference_ns=int(first[1]) * 1_000_000,
        samples_ns=samples,
        peak_rss_bytes=int(peak[1]) if peak else None,
    )


def outputs(_files: Mapping[str, bytes]) -> bytes | None:
    """See `affnet.devices.android.tools.base.Tool.outputs`: it writes none."""
    return None


def operators(_output: str, files: Mapping[str, bytes], runs: int) -> list[OperatorTime]:
    """See `affnet.devices.android.tools.base.Tool.operators`."""
    for name, content in files.items():
        if name.startswith(_PROFILE):
            found = operator_times(content.decode(errors="replace"), runs)
            return [OperatorTime(*fields) for fields in found]
    return []


def placement(model: Path, _report: Report, _settings: Settings) -> Placement:
    """See `affnet.devices.android.tools.base.Tool.placement`: of ``-e cpu`` there is one unit."""
    return Placement((CPU,), tuple(PlacedOperator(*node, CPU) for node in file_nodes(model)))
