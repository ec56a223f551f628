"""Wrong operators of each format's files, found in its runtime with faults planted in them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from affnet.artifact import Artifact
from affnet.errors import UsageError
from affnet.export.bisection.coreml import CoremlGraph
from affnet.export.bisection.graph import CutGraph, Liveness, Operator
from affnet.export.bisection.on_device import bisect
from affnet.export.bisection.opening import FROM_FILE, read_graph
from affnet.export.verification.inputs import VerificationInput
from affnet.runtimes import runtime_for
from benchmarks.bisection.device import PlantedDevice
from benchmarks.bisection.faults import FAULTS
from benchmarks.bisection.planting import PLANTERS
from tests.shared_artifacts import SharedArtifacts

pytestmark = pytest.mark.converters

#: By format: an operator of the network's stem.
_SIGMOIDS = {"coreml": "silu", "openvino": "Sigmoid", "tflite": "LOGISTIC"}
_PACKAGES = {"coreml": "coremltools", "openvino": "openvino", "tflite": "litert_torch"}


@dataclass(frozen=True)
class _Opened:
    artifact: Artifact
    graph: CutGraph

    def operator(self, kind: str) -> Operator:
        """Return the first operator of a kind."""
        return next(one for one in self.graph.operators if one.kind == kind)

    def device(self, operator: Operator, fault: str) -> PlantedDevice:
        """Return a device that computes an operator wrongly."""
        value = self.graph.values(operator.writes)[operator.writes[0]]
        assert value is not None
        return PlantedDevice(operator.writes[0], FAULTS[fault](value))


def _opened(artifact: Artifact) -> _Opened:
    shape = (1, 3, *artifact.manifest.inputs[0].image_size())
    noise = np.random.default_rng(0).random(shape, dtype=np.float32)
    return _Opened(artifact, read_graph(artifact, VerificationInput("noise", (noise,))))


@pytest.fixture(scope="module", params=_SIGMOIDS)
def opened(request: pytest.FixtureRequest, shared_artifact: SharedArtifacts) -> _Opened:
    pytest.importorskip(_PACKAGES[request.param])
    return _opened(shared_artifact("tiny", request.param))


def _weights(artifact: Artifact) -> int:
    """Return how many bytes hold a file's weights, and what stands in the same file."""
    path = artifact.path
    files = [*path.rglob("weight.bin"), path.with_suffix(".bin"), path]
    return next(file.stat().st_size for file in files if file.is_file())


def test_a_fault_can_be_planted_in_files_of_each_format() -> None:
    assert PLANTERS.keys() == FROM_FILE.keys() == {*_SIGMOIDS, "onnx"}  # ONNX: test_on_device.py


def test_operators_read_what_others_made(opened: _Opened) -> None:
    graph = opened.graph
    known = {*graph.inputs}
    for operator in graph.operators:
        assert known.issuperset(operator.reads)
        known.update(operator.writes)
    assert known.issuperset(graph.outputs)


@pytest.mark.parametrize("fault", FAULTS)
def test_names_a_planted_fault_in_few_runs(opened: _Opened, fault: str) -> None:
    wanted = opened.operator(_SIGMOIDS[opened.artifact.manifest.format])
    found = bisect(opened.graph, opened.artifact, opened.device(wanted, fault), "noise")
    (wrong,) = found.wrong
    assert wrong.operators == (wanted.name,)
    assert wrong.runs <= math.log2(found.operators) + 3


def test_a_right_file_takes_one_run(opened: _Opened) -> None:
    found = bisect(opened.graph, opened.artifact, PlantedDevice(None, []), "noise")
    assert (found.clean, found.runs) == (True, 1)


def test_a_part_is_a_file_with_its_own_weights_only(opened: _Opened, tmp_path: Path) -> None:
    graph, whole = opened.graph, opened.artifact
    part = Liveness(graph).part(len(graph.operators) // 3, len(graph.operators) // 2)
    for _ in range(2):  # the second in the place of the first
        written = graph.write(part, tmp_path / f"part{whole.path.suffix}")
    assert written is not None
    described = runtime_for(whole.manifest.format).describe(written.path)
    assert (len(described.inputs), len(described.outputs)) == (len(part.reads), len(part.writes))
    assert _weights(written) < 0.75 * _weights(whole)  # TFLite: all the names are in there


def test_litert_names_modules(tiny_tflite: Artifact) -> None:
    modules = {operator.module for operator in _opened(tiny_tflite).graph.operators}
    assert "stem" in {(module or "").partition(".")[0] for module in modules}


def test_a_picture_goes_into_the_first_part_as_a_picture(shared_artifact: SharedArtifacts) -> None:
    opened = _opened(shared_artifact("tiny", "coreml", precision="fp32", image_input=True))
    wanted = opened.graph.operators[2]
    device = opened.device(wanted, "wrong kernel")
    (wrong,) = bisect(opened.graph, opened.artifact, device, "noise").wrong
    assert wrong.operators == (wanted.name,)


def test_a_pipeline_is_refused(monkeypatch: pytest.MonkeyPatch, tiny_coreml: Artifact) -> None:
    monkeypatch.setattr("affnet.export.bisection.coreml.load_program", lambda _: object())
    with pytest.raises(UsageError, match="export the network without a head"):
        CoremlGraph(tiny_coreml, ())
