"""Whether `affnet verify --bisect` names planted faults, and only those.

::

    python -m benchmarks.bisection --count 60            60 faults and 60 clean files, of each place
                                                         about a sixth
    python -m benchmarks.bisection --sealed --count 20   the same of files that are compiled anew
    python -m benchmarks.bisection --large               a graph of 1,500 operators, timed

Places are runtimes, run for real: ONNX files in onnxruntime and tract, TFLite files in LiteRT, ML
programs in the evaluator, models of OpenVINO in its own, and ONNX files node by node without any
fusion, the fake.  With ``--sealed`` they are ExecuTorch programs, with XNNPACK, and Core AI's, of a
token mixer, into which faults are compiled.  A fault is planted behind an operator that is drawn;
one that the file's output does not show is drawn again, and counted.  The exit code is 1 if a fault
is not named, another operator is, or it takes more than log2(n) + 3 runs.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affnet.artifact import Artifact
from affnet.export.bisection.graph import CutGraph
from affnet.export.bisection.on_device import bisect
from affnet.export.bisection.onnx import OnnxGraph
from affnet.export.bisection.opening import read_graph
from affnet.export.bisection.record import Bisection
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.export.verification.inputs import VerificationInput
from affnet.model.mixers.alone import mixer_source
from affnet.model.source import Source, load_source
from benchmarks.bisection.compiled import PlantedProgram
from benchmarks.bisection.device import PlantedDevice
from benchmarks.bisection.faults import FAULTS, Step
from benchmarks.bisection.large import large_file

_SEED = 26
_MAPS = (16, (8, 8))  # channels and size of the maps of sealed files
_SMALLEST = 4  # values of an operator that a fault is planted behind
_TRIES = 40  # operators drawn until one's fault shows


@dataclass(frozen=True)
class _Place:
    """A file, and the runtime that is taken for a device's; None: the format's own."""

    artifact: Artifact
    runtime: str | None
    unfused: bool = False
    sealed: Source | None = None  # what it is compiled from


def _sealed_places(folder: Path) -> list[_Place]:
    source = mixer_source("aff", *_MAPS)
    options = [
        ExportOptions(form, precision=precision, verify=False)
        for form in ("executorch", "coreai")
        for precision in ("fp32", "fp16")
    ]
    return [
        _Place(
            export_artifact(source, one, folder / f"{one.format}-{one.precision}"),
            None,
            sealed=source,
        )
        for one in options
    ]


def _places(folder: Path) -> list[_Place]:
    source = load_source("emoji")
    onnx = export_artifact(source, ExportOptions("onnx", verify=False), folder)
    tflite = export_artifact(source, ExportOptions("tflite", verify=False), folder)
    openvino = export_artifact(source, ExportOptions("openvino", verify=False), folder)
    coreml = export_artifact(
        source, ExportOptions("coreml", precision="fp32", verify=False), folder
    )
    return [
        _Place(onnx, None),
        _Place(onnx, "tract"),
        _Place(tflite, None),
        _Place(coreml, None),
        _Place(openvino, None),
        _Place(onnx, None, unfused=True),
    ]


def _graph(place: _Place, random: np.random.Generator) -> CutGraph:
    shape = (1, 3, 64, 64) if place.sealed is None else (1, _MAPS[0], *_MAPS[1])
    noise = random.random(shape, dtype=np.float32)
    if place.sealed is not None:
        return PlantedProgram(place.artifact, (noise,), place.sealed)
    return read_graph(place.artifact, VerificationInput("noise", (noise,)))


def _found(
    graph: CutGraph, place: _Place, output: str | None, steps: list[Step] | None = None
) -> Bisection | None:
    """Bisect a place's file with a fault behind what gives ``output``; None: without any.

    None is returned for a fault that the file cannot hold.
    """
    artifact, device = place.artifact, PlantedDevice(output, steps or [], unfused=place.unfused)
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(graph, PlantedProgram):
            device = PlantedDevice(None, [])
            graph.output = None
            if output is not None and steps is not None:
                path = Path(folder, f"planted{artifact.path.suffix}")
                planted = graph.planted(output, steps, path)
                if planted is None:
                    return None
                artifact = planted
        return bisect(graph, artifact, device, "noise", place.runtime)


def _planted(
    graph: CutGraph, place: _Place, kind: str, random: np.random.Generator
) -> tuple[str, Bisection, int]:
    """Plant a fault that shows; return the operator, what is found, and how many did not show."""
    for tries in range(_TRIES):
        operator = graph.operators[random.integers(len(graph.operators))]
        value = graph.values(operator.writes)[operator.writes[0]]
        if value is None or value.dtype != np.float32 or value.ndim < 2 or value.size < _SMALLEST:
            continue
        steps = FAULTS[kind](value)
        found = _found(graph, place, operator.writes[0], steps) if steps else None
        if found is None or found.error.passed:
            continue
        return operator.name, found, tries
    raise RuntimeError(f"no fault shows: {kind}")


def _faults(count: int, *, sealed: bool) -> Iterator[str]:
    random = np.random.default_rng(_SEED)
    named, clean, hidden = Counter[str](), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        places = (_sealed_places if sealed else _places)(Path(folder))
        pairs = itertools.islice(zip(itertools.cycle(places), itertools.count()), count)
        kinds, graphs = list(FAULTS), [_graph(place, random) for place in places]
        for place, number in pairs:
            kind, graph = kinds[number // len(places) % len(kinds)], graphs[number % len(places)]
            operator, found, tries = _planted(graph, place, kind, random)
            hidden += tries
            where = f"{found.runtime}{', unfused' * place.unfused}, {place.artifact.path.name}"
            allowed = math.log2(len(graph.operators)) + 3
            right = [one.operators for one in found.wrong] == [(operator,)]
            quick = right and found.wrong[0].runs <= allowed
            named[kind] += quick
            if not quick:
                told = [(one.operators, one.kinds, one.runs, one.reason) for one in found.wrong]
                yield f"MISSED  {kind} at {operator} in {where}: {told}"
            untouched = _found(graph, place, None)
            assert untouched is not None
            clean += untouched.clean
            if not untouched.clean:
                yield f"WRONGLY named in a clean file in {where}: {untouched.wrong}"
            verdict = "named" if quick else "named late" if right else "MISSED"
            print(
                f"{number + 1:3} {kind:24} {where}: {verdict}, {found.runs} runs, {clean} clean",
                file=sys.stderr,
                flush=True,
            )
    for kind in FAULTS:
        print(f"{kind:24} {named[kind]} named")
    print(f"{sum(named.values())} of {count} faults named within log2(n) + 3 runs each")
    print(f"{hidden} operators drawn again: the output does not show their fault, or no floats")
    print(f"{clean} of {count} clean files in which none is named")


def _large(operators: int) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        artifact, given = large_file(Path(folder, "large.onnx"), operators)
        started = time.perf_counter()
        graph = OnnxGraph(artifact, (given,))
        operator = next(one for one in graph.operators[2 * operators // 3 :] if one.kind == "Add")
        value = graph.values(operator.writes)[operator.writes[0]]
        assert value is not None
        device = PlantedDevice(operator.writes[0], FAULTS["wrong kernel"](value))
        found = bisect(graph, artifact, device, "noise")
        seconds = time.perf_counter() - started
        print(f"{len(graph.operators)} operators: {found.runs} runs, {seconds:.0f} s")
        if [one.operators for one in found.wrong] != [(operator.name,)]:
            yield f"MISSED  {operator.name}: {found.wrong}"


def main() -> None:
    """Print what is found, and end with 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--sealed", action="store_true")
    arguments = parser.parse_args()
    faults = _faults(arguments.count, sealed=arguments.sealed)
    missed = list(_large(1500) if arguments.large else faults)
    for sentence in missed:
        print(sentence)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
