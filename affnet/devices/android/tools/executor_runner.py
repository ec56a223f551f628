"""The command line, the output and the files of ExecuTorch's ``executor_runner``.

Its lines come with a time and a place in the source::

    I 00:00:00.004429 executorch:executor_runner.cpp:251] Model loaded in 3.211000 ms.
    I 00:00:00.006576 executorch:executor_runner.cpp:284] Iteration 1 of 2: 0.691078 ms
    I 00:00:00.006576 executorch:executor_runner.cpp:284] Model executed successfully 2 time(s) in 1.3 ms.

(examples/portable/executor_runner/executor_runner.cpp).  Releases before 1.3 report the sum only, of
which nothing can be discarded, so they are refused.  ``--inputs`` are files of bytes, outputs go to
``FILE-0.bin`` and so on.  A build by ExecuTorch's preset for Android logs to the phone's log, where
nothing of this is seen.
"""  # noqa: E501  # lines of the tool

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from affnet.devices.android.tools.base import Invocation, Report, Settings
from affnet.devices.base import OperatorTime
from affnet.placement import Placement
from affnet.runtimes.executorch import placement_of

NAME = "executor_runner"
LIMITS: tuple[str, ...] = ("each turn of executor_runner loads the model anew",)
WRITES_OUTPUTS = True
WRITES_SAMPLES = False
TELLS_MEMORY = False
WARMS_UP = False
BUILD = (
    "build ExecuTorch's target executor_runner with the NDK's CMake toolchain, "
    "-DEXECUTORCH_BUILD_XNNPACK=ON and -DEXECUTORCH_PAL_DEFAULT=posix"
)
_LOADED = re.compile(r"Model loaded in ([\d.]+) ms")
_ITERATION = re.compile(r"Iteration \d+ of \d+: ([\d.]+) ms")
_DONE = re.compile(r"Model executed successfully (\d+) time\(s\) in ([\d.]+) ms")
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")
# of each memory that tensors share, planned when the program was exported
_PLANNED = re.compile(r"Setting up planned buffer \d+, size (\d+)")
_TOO_OLD = "it reports no single runs, as releases before 1.3 do not; build a newer one"
_OUTPUTS = "outputs"
_OUTPUT_FILE = re.compile(rf"{_OUTPUTS}-(\d+)\.bin")


def arguments(invocation: Invocation, settings: Settings) -> list[str]:
    """See `affnet.devices.android.tools.base.Tool.arguments`."""
    chosen = [
        f"--model_path={invocation.graph}",
        f"--num_executions={invocation.warmup_runs + invocation.runs}",
        f"--cpu_threads={settings.threads}",
    ]
    if invocation.inputs:
        files = ",".join(fed.path for fed in invocation.inputs)
        chosen += [f"--inputs={files}", f"--output_file={invocation.folder}/{_OUTPUTS}"]
    return chosen


def parse(output: str, _files: Mapping[str, bytes]) -> Report:
    """See `affnet.devices.android.tools.base.Tool.parse`."""
    loaded, done = _LOADED.search(output), _DONE.search(output)
    samples = tuple(round(float(text) * 1e6) for text in _ITERATION.findall(output))
    if done is not None and not samples:
        raise ValueError(_TOO_OLD)
    if loaded is None or done is None:
        raise ValueError("it reports no loading and execution; was it built to log to its output?")
    if len(samples) != int(done[1]):
        raise ValueError(f"it reported {len(samples)} of {done[1]} runs")
    if not all(samples):
        raise ValueError(f"it reported {len(samples)} of {done[1]} runs, some of no duration")
    peaks = [int(text) * 1024 for text in _PEAK.findall(output)]
    return Report(
        load_ns=round(float(loaded[1]) * 1e6),
        first_inference_ns=samples[0],
        samples_ns=samples,
        peak_rss_bytes=max(peaks, default=None),
        runtime_bytes=sum(map(int, _PLANNED.findall(output))) or None,
    )


def outputs(files: Mapping[str, bytes]) -> bytes | None:
    """See `affnet.devices.android.tools.base.Tool.outputs`: a file for each, by their numbers."""
    numbers = {int(m[1]): name for name in files if (m := _OUTPUT_FILE.fullmatch(name))}
    return b"".join(files[numbers[n]] for n in sorted(numbers)) if numbers else None


def operators(_output: str, _files: Mapping[str, bytes], _runs: int) -> list[OperatorTime]:
    """See `Tool.operators`: an ETDump is for ExecuTorch's own tools."""
    return []


def placement(model: Path, _report: Report, _settings: Settings) -> Placement:
    """See `affnet.devices.android.tools.base.Tool.placement`: the file decides it."""
    return placement_of(model)
