"""What ExecuTorch is kept from doing twice changes no file."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from affnet.export.converters.executorch.decompositions import decompositions
from affnet.export.converters.executorch.lowering import partitioner_for, without_idle_passes
from tests.tiny import noise

pytestmark = [pytest.mark.converters, pytest.mark.filterwarnings("ignore")]


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3), nn.Linear(8, 4)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.silu(self.norm(self.first(x)))
        y = functional.max_pool2d(torch.cat([y] * 7), 2)
        return torch.softmax(self.second(y.mean((2, 3))), -1)


class Upsampled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        return functional.pad(y[:, :, ::2], (1, 1))


class Unsupported(nn.Module):
    """Of these poolings XNNPACK takes only the first."""

    def forward(self, x: Tensor) -> Tensor:
        plain = functional.max_pool2d(x, 2)
        return plain + functional.max_pool2d(x, 2, ceil_mode=True)[..., :4, :4]


class Products(nn.Module):
    """A product that is not of batches of one shape."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.matmul(x, x[0, 0]) + x.mean((2, 3), keepdim=True)


def lowered(network: nn.Module, *, plain: bool) -> bytes:
    from executorch import exir
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

    torch.manual_seed(0)
    program = torch.export.export(network.eval(), (noise(1, 3, 9, 9),))
    partitioner: Any = XnnpackPartitioner() if plain else partitioner_for(XnnpackPartitioner)
    program = program.run_decompositions(decompositions())
    if plain:
        edge = exir.to_edge_transform_and_lower(program, partitioner=[partitioner])
    else:
        with without_idle_passes(program):
            edge = exir.to_edge_transform_and_lower(program, partitioner=[partitioner])
    return bytes(edge.to_executorch().buffer)


@pytest.mark.parametrize(
    "network", [Block(), Upsampled(), Unsupported(), Products()], ids=lambda n: type(n).__name__
)
def test_the_program_is_the_one_that_executorch_makes_by_itself(network: nn.Module) -> None:
    assert lowered(network, plain=False) == lowered(network, plain=True)


def test_a_graph_is_run_for_what_is_new_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each trace and each check of types runs all operators, of which there may be thousands."""
    from executorch.exir import pass_base
    from executorch.exir.verification import verifier

    counted: list[str] = []

    def count(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def counting(*args: Any, **kwargs: Any) -> Any:
            counted.append(name)
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, counting)

    count(pass_base.ExportPass, "call_submodule")
    count(verifier, checks := "_check_tensor_args_matching_op_allowed_dtype")
    found = []
    for plain in (True, False):
        counted.clear()
        lowered(Block(), plain=plain)
        found.append((counted.count("call_submodule"), counted.count(checks)))
    (traces, types), (fewer_traces, fewer_types) = found
    assert fewer_traces <= 12 < traces / 3  # with executorch 1.5: 10, and 16 with idle passes
    assert fewer_types <= 3 < types / 3


def test_a_pass_is_left_as_it_was() -> None:
    from executorch.backends.xnnpack.partition.graphs import sdpa
    from executorch.exir.pass_base import ExportPass

    before = ExportPass.call, sdpa.get_graphs
    program = torch.export.export(nn.ReLU(), (noise(1, 3),))
    with without_idle_passes(program):
        assert ExportPass.call is not before[0]
        assert sdpa.get_graphs() == []
    assert (ExportPass.call, sdpa.get_graphs) == before
    assert "call" not in vars(ExportPass)


def test_a_pass_that_changed_nothing_does_not_trace() -> None:
    from executorch.exir import to_edge
    from executorch.exir.pass_base import ExportPass

    class Idle(ExportPass):
        def call(self, graph_module: torch.fx.GraphModule) -> Any:
            return super().call(graph_module)

    class Changing(ExportPass):
        def call(self, graph_module: torch.fx.GraphModule) -> Any:
            (node,) = (n for n in graph_module.graph.nodes if n.op == "call_function")
            node.args = (node.args[0], node.args[0])
            return super().call(graph_module)

    class Tracing(ExportPass):
        def call_operator(self, *arguments: Any) -> Any:
            return super().call_operator(*arguments)

    class Sum(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    program = torch.export.export(Sum(), (noise(1, 3), noise(1, 3)))
    module = to_edge(program).exported_program().graph_module
    with without_idle_passes(program):
        first = Idle()(module).graph_module
        assert first is not module
        assert Idle()(first).graph_module is first
        changed = Changing()(first).graph_module
        assert changed is not first
        assert Idle()(changed).graph_module is changed
        assert Tracing()(changed).graph_module is not changed
