"""Wrong operators of formats whose files are sealed, found in parts that are compiled anew."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from affnet.artifact import UNPROVEN, Artifact
from affnet.errors import UsageError
from affnet.export.bisection.graph import Liveness
from affnet.export.bisection.on_device import bisect
from affnet.export.bisection.opening import open_graph
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.export.verification.inputs import VerificationInput
from affnet.model.source import Source, load_source
from affnet.runtimes import runtime_for
from benchmarks.bisection.compiled import PlantedProgram
from benchmarks.bisection.device import PlantedDevice
from benchmarks.bisection.faults import FAULTS

pytestmark = pytest.mark.converters

_X = np.random.default_rng(0).standard_normal((1, 3, 4, 4)).astype(np.float32)


class Gated(nn.Module):
    """An operator with several results, a constant that is computed, and an index."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Conv2d(3, 4, 2)
        self.head = nn.Linear(18, 3)
        self.scale = nn.Parameter(torch.tensor([0.5, 2.0]))

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.body(x).relu().split(2, 1)
        y = gate.sigmoid() * value * self.scale.exp()[:, None, None]
        best = y.argmax(dim=1, keepdim=True)
        logits: Tensor = self.head((y - best).flatten(1))
        return logits


def gated() -> tuple[nn.Module, Tensor]:
    """Return the network and its example, as a source that is a function has them."""
    return Gated().eval(), torch.from_numpy(_X)


@pytest.fixture(scope="module")
def source() -> Source:
    return load_source(f"{__name__}:gated")


@dataclasses.dataclass(frozen=True)
class _Opened:
    artifact: Artifact
    graph: PlantedProgram


@pytest.fixture(
    scope="module", params=["coreai", pytest.param("executorch", marks=pytest.mark.exhaustive)]
)
def opened(
    request: pytest.FixtureRequest, source: Source, tmp_path_factory: pytest.TempPathFactory
) -> _Opened:
    pytest.importorskip(request.param)
    options = ExportOptions(request.param, precision="fp16")
    artifact = export_artifact(source, options, tmp_path_factory.mktemp(request.param))
    return _Opened(artifact, PlantedProgram(artifact, (_X,), source))


def test_operators_read_what_others_made_and_name_modules(opened: _Opened) -> None:
    graph, known = opened.graph, {*opened.graph.inputs}
    for operator in graph.operators:
        assert known.issuperset(operator.reads)
        known.update(operator.writes)
    assert known.issuperset(graph.outputs)
    kinds = {one.kind: one for one in graph.operators}
    assert len(kinds["split"].writes) == 2
    assert (kinds["conv2d"].module, kinds["linear"].module) == ("body", "head")
    assert "exp" not in kinds  # of a weight: a constant


def test_the_reference_is_the_network_in_float32(opened: _Opened, source: Source) -> None:
    (logits,) = opened.graph.values(opened.graph.outputs).values()
    assert logits is not None
    with torch.inference_mode():
        exact = source.model(torch.from_numpy(_X)).numpy()
    assert 0 < np.abs(logits - exact).max() < 1e-3  # the file's weights, which are rounded
    assert not np.array_equal(logits, logits.astype(np.float16))


def test_values_are_stored_as_the_format_holds_them(opened: _Opened) -> None:
    graph = opened.graph
    kinds = {one.kind: one.writes[0] for one in graph.operators}
    found = {kind: graph.values([name])[name] for kind, name in kinds.items()}
    assert found["sigmoid"] is not None
    assert found["argmax"] is not None
    assert (found["sigmoid"].dtype, found["argmax"].dtype) == (np.float32, np.int64)
    stored = {kind: graph.stored(kinds[kind], found[kind]).dtype for kind in ("sigmoid", "argmax")}
    coreai = opened.artifact.manifest.format == "coreai"
    assert stored == {"sigmoid": np.float16, "argmax": np.int32 if coreai else np.int64}


def test_names_a_planted_fault_in_few_runs(opened: _Opened, tmp_path: Path) -> None:
    graph = opened.graph
    wanted = next(one for one in graph.operators if one.kind == "sigmoid")
    value = graph.values(wanted.writes)[wanted.writes[0]]
    assert value is not None
    path = tmp_path / f"planted{opened.artifact.path.suffix}"
    artifact = graph.planted(wanted.writes[0], FAULTS["wrong kernel"](value), path)
    folder = tmp_path / "out"
    found = bisect(graph, artifact, PlantedDevice(None, []), "noise", reproducers=folder)
    graph.output = None
    (wrong,) = found.wrong
    assert wrong.operators == (wanted.name,)
    assert wrong.runs <= math.log2(found.operators) + 3
    assert wrong.reproducer is not None
    stored = np.load(Path(wrong.reproducer).with_suffix(".npz"))
    alone = runtime_for(artifact.manifest.format).load(Path(wrong.reproducer), threads=1)
    (given,) = alone.run(stored["input_0"])
    assert np.allclose(given, stored["given_0"], atol=1e-3)
    assert not np.allclose(given, stored["expected_0"], atol=1e-1)


def test_a_right_file_takes_one_run(opened: _Opened) -> None:
    found = bisect(opened.graph, opened.artifact, PlantedDevice(None, []), "noise")
    assert (found.clean, found.runs) == (True, 1)


def test_a_part_takes_and_gives_what_is_alive_at_its_cuts(opened: _Opened, tmp_path: Path) -> None:
    graph = opened.graph
    end = next(i for i, one in enumerate(graph.operators) if one.kind == "argmax") + 1
    part = Liveness(graph).part(2, end)  # what is subtracted, and the index
    for _ in range(2):  # the second in the place of the first
        written = graph.write(part, tmp_path / f"part{opened.artifact.path.suffix}")
    assert written is not None
    described = runtime_for(written.manifest.format).describe(written.path)
    assert [spec.shape for spec in described.inputs] == [(1, 4, 3, 3)]
    assert len(described.outputs) == 2


def _given() -> VerificationInput:
    return VerificationInput("noise", (_X,))


def test_what_cannot_be_made_again_is_refused(source: Source, opened: _Opened) -> None:
    artifact = opened.artifact
    eight_bits = artifact.with_manifest(precision="int8")
    with pytest.raises(UsageError, match="its 8-bit ranges come from images"):
        open_graph(eight_bits, _given(), source)
    kept = {"kept_float32": [{"operator": "exp (exp)", "reason": "it overflows"}]}
    other = artifact.with_manifest(details=artifact.manifest.details | {"float16": kept})
    with pytest.raises(UsageError, match="has other operators in float32"):
        open_graph(other, _given(), source)
    older = artifact.with_manifest(tools=artifact.manifest.tools | {"torch": "1.0"})
    with pytest.raises(UsageError, match=r"was compiled by torch 1\.0, and its parts would be by"):
        open_graph(older, _given(), source)
    unknown = dataclasses.replace(artifact.manifest.provenance, kind=UNPROVEN)
    unknown_file = artifact.with_manifest(provenance=unknown)
    with pytest.raises(UsageError, match="has no manifest"):
        open_graph(unknown_file, _given(), source)
