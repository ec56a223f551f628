"""The command line and the output of ncnn's ``benchncnn``.

It takes the graph without the weights, in whose place it puts zeros, and the sizes of the inputs::

    benchncnn LOOPS THREADS POWERSAVE GPU COOLING_DOWN param=MODEL.param shape=[W,H,C]

warms up with 8 runs and prints the extremes and the mean of the others, in hundredths of a
millisecond (benchmark/benchncnn.cpp)::

    loop_count = 30
              emoji.param  min =    1.93  max =    2.12  avg =    1.98

Its options are ncnn's defaults: float16 where the processor has it, and packed layouts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from affnet.devices.android.tools import extremes
from affnet.devices.android.tools.base import Invocation, Report, Settings

NAME = "benchncnn"
LIMITS: tuple[str, ...] = (
    "each turn of benchncnn loads the graph anew, without saying how long that takes; its weights "
    "are zeros, and it computes in float16 where the phone can, whatever the file's precision",
)
WRITES_OUTPUTS = False
WRITES_SAMPLES = False
TELLS_MEMORY = False
WARMS_UP = True
BUILD = "build ncnn's target benchncnn with the NDK's CMake toolchain, which is static by default"
_RUNS = re.compile(r"^loop_count = (\d+)", re.MULTILINE)
_TIMES = re.compile(r"min = +(?P<min>[\d.]+) +max = +(?P<max>[\d.]+) +avg = +(?P<avg>[\d.]+)")
_ALL_CORES, _NO_GPU, _NO_PAUSE = "0", "-1", "0"


def arguments(invocation: Invocation, settings: Settings) -> list[str]:
    """See `affnet.devices.android.tools.base.Tool.arguments`: sizes in reverse, without batch."""
    shapes = ",".join(f"[{','.join(map(str, shape[:0:-1]))}]" for shape in settings.shapes)
    counts = [str(invocation.runs), str(settings.threads)]
    where = [_ALL_CORES, _NO_GPU, _NO_PAUSE]
    return [*counts, *where, f"param={invocation.graph}", f"shape={shapes}"]


def parse(output: str, _files: Mapping[str, bytes]) -> Report:
    """See `affnet.devices.android.tools.base.Tool.parse`."""
    return extremes.report_of(output, _RUNS, _TIMES)


outputs, placement, operators = extremes.outputs, extremes.placement, extremes.operators
