"""Tests of when the code of graphs is written."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.fx import Graph, GraphModule

from affnet.graph_code import graph_code_when_run, origins_shared
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS

pytestmark = THIRD_PARTY_WARNINGS

X = torch.randn(2, 3)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Any:
        return torch.fft.rfft(self.linear(x)).abs()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Graph]]:
    """The graphs whose code is written."""
    graphs: list[Graph] = []
    write = Graph.python_code

    def noting(graph: Graph, *args: Any, **kwargs: Any) -> Any:
        graphs.append(graph)
        return write(graph, *args, **kwargs)

    monkeypatch.setattr(Graph, "python_code", noting)
    recompile = GraphModule.recompile
    yield graphs
    assert GraphModule.recompile is recompile


def test_an_export_writes_the_code_of_what_it_runs_only(written: list[Graph]) -> None:
    network = Network()
    with graph_code_when_run():
        program = torch.export.export(network, (X,))
        assert not written
        module = program.run_decompositions().module()
        assert len(written) <= 1  # by default it is 22
        assert str(inspect.signature(module.forward)) == "(x)"
        assert len(written) <= 1
        assert torch.allclose(module(X), network(X))
    assert len(written) <= 2
    assert str(inspect.signature(module.forward)) == "(x)"
    module(X)
    assert len(written) <= 2


def test_code_is_that_of_the_graph_as_it_was_changed_last(written: list[Graph]) -> None:
    with graph_code_when_run():
        module = torch.fx.symbolic_trace(nn.ReLU())
        assert torch.equal(module(X), X.relu())
        (relu,) = module.graph.find_nodes(op="call_function", target=torch.nn.functional.relu)
        relu.target, relu.kwargs = torch.neg, {}
        module.recompile()
        module.recompile()
        assert len(written) == 1
    assert torch.equal(module(-X), X)
    assert "neg" in module.code
    assert len(written) == 2
    module.recompile()  # outside: at once
    assert len(written) == 3


@pytest.mark.parametrize("within", [True, False])
@pytest.mark.parametrize(
    "read",
    [
        lambda module: module.code,
        str,
        lambda module: inspect.signature(module.forward),
        lambda module: type(module).forward(module, X),
        lambda module: copy.deepcopy(module)(X),
        lambda module: pickle.loads(pickle.dumps(module))(X),  # noqa: S301 - its own
    ],
)
def test_whatever_reads_the_code_finds_it(read: Any, within: bool) -> None:
    eager = torch.fx.symbolic_trace(nn.Sequential(nn.Linear(3, 4)))
    with graph_code_when_run(), graph_code_when_run():
        module = GraphModule(eager, eager.graph, "Sequential")
        found = read(module) if within else None
    found = found if within else read(module)
    assert str(found) == str(read(eager))


def test_where_nodes_come_from_is_noted_once_for_all_traces() -> None:
    def sources(program: torch.export.ExportedProgram) -> list[Any]:
        notes = [n.meta["from_node"][0] for n in program.graph.nodes if "from_node" in n.meta]
        found, below = list[Any](), notes
        while below:
            found, below = found + below, [one for each in below for one in each.from_node]
        return found

    programs = []
    with origins_shared(), origins_shared():
        programs.append(torch.export.export(Network(), (X,)).run_decompositions())
        programs.append(programs[0].run_decompositions())
    first, second = map(sources, programs)
    assert first
    assert {*map(id, first)} & {*map(id, second)}
    again = programs[0].run_decompositions()
    assert not {*map(id, first)} & {*map(id, sources(again))}
    assert [each.name for each in sources(again)] == [each.name for each in second]
