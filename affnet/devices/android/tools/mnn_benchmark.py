"""The command line and the output of MNN's ``benchmark.out``.

It takes a folder, all of whose files it runs, so that a model must lie in one of its own::

    benchmark.out FOLDER [loops] [warm-up runs] [0: the CPU] [threads] [precision; 1: high]

and prints the extremes and the mean of the runs after the warm-up (benchmark/benchmark.cpp)::

    --------> Benchmarking... loop = 30, warmup = 10
    [ - ] emoji.mnn                   max =    2.120 ms  min =    1.932 ms  avg =    1.987 ms

It feeds what stands in the input's memory, and copies the first output, inside the time of a run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from affnet.devices.android.tools import extremes
from affnet.devices.android.tools.base import Invocation, Report, Settings

NAME = "benchmark.out"
LIMITS: tuple[str, ...] = (
    "each turn of MNN's benchmark.out loads the model anew, without saying how long that takes",
)
WRITES_OUTPUTS = False
WRITES_SAMPLES = False
TELLS_MEMORY = False
WARMS_UP = False
BUILD = (
    "build MNN's target benchmark.out with the NDK's CMake toolchain, -DMNN_BUILD_BENCHMARK=ON and "
    "-DMNN_BUILD_SHARED_LIBS=OFF"
)
_RUNS = re.compile(r"^-+> Benchmarking\.\.\. loop = (\d+), warmup = \d+", re.MULTILINE)
_TIMES = re.compile(
    r"max = +(?P<max>[\d.]+) ms +min = +(?P<min>[\d.]+) ms +avg = +(?P<avg>[\d.]+) ms"
)
_CPU, _HIGH = "0", "1"


def arguments(invocation: Invocation, settings: Settings) -> list[str]:
    """See `affnet.devices.android.tools.base.Tool.arguments`."""
    folder = invocation.graph.rpartition("/")[0]
    counts = [str(invocation.runs), str(invocation.warmup_runs)]
    return [folder, *counts, _CPU, str(settings.threads), _HIGH]


def parse(output: str, _files: Mapping[str, bytes]) -> Report:
    """See `affnet.devices.android.tools.base.Tool.parse`."""
    return extremes.report_of(output, _RUNS, _TIMES)


outputs, placement, operators = extremes.outputs, extremes.placement, extremes.operators
