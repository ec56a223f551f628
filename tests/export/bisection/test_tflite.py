"""Wrong operators of TFLite files, found in LiteRT itself with faults planted in its files."""

from __future__ import annotations

import math

import numpy as np
import pytest

from affnet.artifact import Artifact
from affnet.export.bisection.on_device import bisect
from affnet.export.bisection.tflite import TfliteGraph
from benchmarks.bisection.device import PlantedDevice
from benchmarks.bisection.faults import FAULTS

pytestmark = pytest.mark.converters


@pytest.fixture(scope="module")
def graph(tiny_tflite: Artifact) -> TfliteGraph:
    shape = tiny_tflite.manifest.inputs[0].static_shape()
    return TfliteGraph(tiny_tflite, (np.random.default_rng(0).random(shape, dtype=np.float32),))


def test_its_operators_read_what_others_made(graph: TfliteGraph) -> None:
    known = {*graph.inputs}
    for operator in graph.operators:
        assert known.issuperset(operator.reads)
        known.update(operator.writes)
    assert known.issuperset(graph.outputs)
    modules = {operator.module for operator in graph.operators}
    assert "stem" in {(module or "").partition(".")[0] for module in modules}


@pytest.mark.parametrize("kind", FAULTS)
def test_names_a_planted_fault_in_few_runs(
    graph: TfliteGraph, tiny_tflite: Artifact, kind: str
) -> None:
    wanted = next(one for one in graph.operators if one.kind == "LOGISTIC")
    value = graph.values(wanted.writes)[wanted.writes[0]]
    assert value is not None
    device = PlantedDevice(wanted.writes[0], FAULTS[kind](value))
    found = bisect(graph, tiny_tflite, device, "noise")
    (wrong,) = found.wrong
    assert wrong.operators == (wanted.name,)
    assert wrong.runs <= math.log2(found.operators) + 3


def test_a_right_file_takes_one_run(graph: TfliteGraph, tiny_tflite: Artifact) -> None:
    found = bisect(graph, tiny_tflite, PlantedDevice(None, []), "noise")
    assert (found.clean, found.runs) == (True, 1)
