"""ExecuTorch in float16: what it cannot carry stays in float32, and the network as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from affnet.artifact import Arrays, TensorSpec
from affnet.export.converters import ConversionRequest
from affnet.export.converters.executorch.converter import ExecutorchConverter
from affnet.export.converters.executorch.float16 import in_float16
from affnet.export.quantization.layers import KeptParts
from affnet.runtimes.executorch import ExecutorchRuntime
from tests.tiny import noise

pytestmark = pytest.mark.filterwarnings("ignore")

CAST = torch.ops.aten._to_copy.default


class Decibels(nn.Module):
    """Powers that overflow and a floor that vanishes in float16, between two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.before, self.after = nn.Conv2d(2, 4, 1), nn.Conv2d(4, 2, 1)
        self.register_buffer("floor", torch.tensor(1e-10))

    def forward(self, x: Tensor) -> Tensor:
        power = self.before(x).square()
        left, right = torch.maximum(power, self.floor).log10().chunk(2, dim=1)
        return self.after(torch.relu_(torch.cat((right, left), dim=1)))


def samples() -> tuple[Arrays, ...]:
    x = noise(1, 2, 4, 4).numpy()
    return (x,), (2000 * x,), (np.zeros_like(x),)


def kinds(graph: torch.fx.GraphModule, dtype: torch.dtype) -> set[str]:
    """Return the operators of ``graph``, but for casts, that give ``dtype``."""
    found = set()

    class Types(torch.fx.Interpreter):
        def run_node(self, node: torch.fx.Node) -> object:
            value = super().run_node(node)
            if node.op == "call_function" and node.target is not CAST:
                values = value if isinstance(value, (tuple, list)) else (value,)
                found.update(str(node.target) for each in values if each.dtype == dtype)
            return value

    Types(graph).run(torch.zeros(1, 2, 4, 4))
    return found


def test_what_float16_cannot_carry_stays_in_float32() -> None:
    network, example = Decibels().eval(), torch.zeros(1, 2, 4, 4)
    graph, choice = in_float16(network, (example,), samples())
    single, half = kinds(graph, torch.float32), kinds(graph, torch.float16)
    assert {"aten.square.default", "aten.maximum.default", "aten.log10.default"} <= single
    assert {"aten.conv2d.default", "aten.cat.default", "aten.relu.default"} <= half
    reasons = {choice.operations[name].kind: reason for name, reason in choice.kept.items()}
    assert "float16 ends at 65,504" in reasons["square"]
    assert "1e-10 is lost" in reasons["maximum"]
    for sample in samples():
        expected = network(*map(torch.from_numpy, sample))
        found = graph(*map(torch.from_numpy, sample))
        assert found.dtype == torch.float32
        assert (found - expected).abs().max() < 5e-3 * expected.abs().max()


def test_a_network_that_float16_holds_has_casts_at_its_borders_only() -> None:
    network = nn.Sequential(nn.Conv2d(2, 3, 1), nn.SiLU(), nn.Conv2d(3, 2, 1)).eval()
    graph, choice = in_float16(network, (torch.zeros(1, 2, 4, 4),), samples()[:1])
    assert (choice.kept, kinds(graph, torch.float32)) == ({}, set())
    assert sum(node.target is CAST for node in graph.graph.nodes) == 2
    assert {tensor.dtype for tensor in graph.buffers()} == {torch.float16}
    assert list(graph.parameters()) == []  # those in float32 would stay in the file


def test_a_module_that_the_user_names_stays_in_float32() -> None:
    network = nn.Sequential(nn.Conv2d(2, 3, 1), nn.SiLU(), nn.Conv2d(3, 2, 1)).eval()
    graph, _ = in_float16(
        network, (torch.zeros(1, 2, 4, 4),), samples()[:1], KeptParts(modules=("2",))
    )
    assert kinds(graph, torch.float32) == {"aten.conv2d.default"}
    assert kinds(graph, torch.float16) == {"aten.conv2d.default", "aten.silu.default"}


def test_the_network_keeps_its_own_tensors() -> None:
    network = Decibels().eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    in_float16(network, (torch.zeros(1, 2, 4, 4),), samples())
    after = network.state_dict()
    assert all(tensor.dtype == torch.float32 for tensor in after.values())
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


@pytest.mark.slow
@pytest.mark.converters
def test_the_file_is_right_where_float16_alone_overflows(tmp_path: Path) -> None:
    network = Decibels().eval()
    spec = TensorSpec("x", (1, 2, 4, 4), "float32")
    request = ConversionRequest(
        "decibels", (spec,), (spec,), "fp16", "XNNPACK", native_fft=False, samples=samples()
    )
    conversion = ExecutorchConverter().convert(Decibels().eval(), request, tmp_path)
    kept = conversion.details["float16"]["kept_float32"]
    assert any(entry["operator"].startswith("square") for entry in kept)
    session = ExecutorchRuntime.load(conversion.path, threads=1)
    for sample in samples():
        expected = network(*map(torch.from_numpy, sample)).detach().numpy()
        (found,) = session.run(*sample)
        assert abs(found - expected).max() < 5e-3 * abs(expected).max()
