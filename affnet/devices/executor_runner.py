"""The command line, the output and the files of ExecuTorch's ``executor_runner``.

Its lines come with a time and a place in the source::

    I 00:00:00.004429 executorch:executor_runner.cpp:251] Model loaded in 3.211000 ms.
    I 00:00:00.006576 executorch:executor_runner.cpp:284] Iteration 1 of 2: 0.691078 ms
    I 00:00:00.006576 executorch:executor_runner.cpp:284] Model executed successfully 2 time(s) in 1.3 ms.

(examples/portable/executor_runner/executor_runner.cpp).  Releases before 2026 tell neither the loading
nor the iterations: then the time of the line "Method loaded." since the start stands for the first,
and the mean for the second.  ``--inputs`` are files of bytes, outputs go to ``FILE-0.bin`` and so on.
A build for Android by the preset of that name logs to the phone's log, where nothing of this is seen.
"""  # noqa: E501  # lines of the tool

from __future__ import annotations

import re
from collections.abc import Mapping

from affnet.devices import BlockStatistics, OperatorTime
from affnet.devices.tool import Invocation, Report, Settings

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
_METHOD_LOADED = re.compile(r"^\w (\d+):(\d+):([\d.]+) .*\] Method loaded", re.MULTILINE)
_ITERATION = re.compile(r"Iteration \d+ of \d+: ([\d.]+) ms")
_DONE = re.compile(r"Model executed successfully (\d+) time\(s\) in ([\d.]+) ms")
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")
_OUTPUTS = "outputs"
_OUTPUT_FILE = re.compile(rf"{_OUTPUTS}-(\d+)\.bin")


def arguments(invocation: Invocation, settings: Settings) -> list[str]:
    """See `affnet.devices.tool.Tool.arguments`."""
    chosen = [
        f"--model_path={invocation.graph}",
        f"--num_executions={invocation.warmup_runs + invocation.runs}",
        f"--cpu_threads={settings.threads}",
    ]
    if invocation.image:
        chosen += [f"--inputs={invocation.image}", f"--output_file={invocation.folder}/{_OUTPUTS}"]
    return chosen


def parse(output: str, _files: Mapping[str, bytes]) -> Report:
    """See `affnet.devices.tool.Tool.parse`."""
    done, load_ns = _DONE.search(output), _load_ns(output)
    if done is None or load_ns is None or int(done[1]) < 1:
        raise ValueError("it tells no loading and execution; was it built to log to its output?")
    runs, mean_ns = int(done[1]), round(float(done[2]) * 1e6 / int(done[1]))
    samples = tuple(round(float(text) * 1e6) for text in _ITERATION.findall(output))
    if (samples and len(samples) != runs) or mean_ns <= 0 or not all(samples):
        raise ValueError(f"it ran {runs} times and told {len(samples)}")
    peaks = [int(text) * 1024 for text in _PEAK.findall(output)]
    block = BlockStatistics(
        runs,
        mean_ns,
        mean_ns,
        mean_ns,
        mean_ns,
        mean_ns,
        0,
        p5_ns=None,
        median_ns=None,
        p95_ns=None,
    )
    return Report(
        load_ns=load_ns,
        first_inference_ns=samples[0] if samples else mean_ns,
        samples_ns=samples,
        block=None if samples else block,
        peak_rss_bytes=max(peaks, default=None),
    )


def _load_ns(output: str) -> int | None:
    if told := _LOADED.search(output):
        return round(float(told[1]) * 1e6)
    if since := _METHOD_LOADED.search(output):
        return round((int(since[1]) * 3600 + int(since[2]) * 60 + float(since[3])) * 1e9)
    return None


def outputs(files: Mapping[str, bytes]) -> bytes | None:
    """See `affnet.devices.tool.Tool.outputs`: a file for each, by their numbers."""
    numbers = {int(m[1]): name for name in files if (m := _OUTPUT_FILE.fullmatch(name))}
    return b"".join(files[numbers[n]] for n in sorted(numbers)) if numbers else None


def operators(_output: str, _files: Mapping[str, bytes], _runs: int) -> list[OperatorTime]:
    """See `affnet.devices.tool.Tool.operators`: its ETDump is read by ExecuTorch's own tools only."""
    return []
