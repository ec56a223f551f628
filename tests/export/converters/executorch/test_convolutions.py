"""Convolutions as XNNPACK's quantizer takes them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from affnet.export.converters.executorch.convolutions import OfPictures
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS
from tests.tiny import noise

pytestmark = THIRD_PARTY_WARNINGS
aten = torch.ops.aten


class Normed(nn.Module):
    """A convolution, a norm with statistics of its own, and a relu."""

    def __init__(self, convolution: nn.Module, norm: nn.Module) -> None:
        super().__init__()
        self.convolution, self.norm = convolution, norm
        generator = torch.Generator().manual_seed(0)
        for tensor in (*norm.parameters(), *norm.buffers()):
            tensor.data.copy_(0.5 + torch.rand(tensor.shape, generator=generator))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.convolution(x)))


NETWORKS = {
    "signals": nn.Conv1d(6, 4, 3, 2, 1, 2, 2, bias=False),
    "transposed": nn.ConvTranspose1d(6, 4, 3, 2, 1, 1, 2),
    "a chain": nn.Sequential(nn.Conv1d(6, 4, 3), nn.ReLU(), nn.Conv1d(4, 4, 1)),
    "norm": Normed(nn.Conv1d(6, 4, 3, groups=2), nn.BatchNorm1d(4)),
    "transposed norm": Normed(nn.ConvTranspose1d(6, 4, 3, bias=False), nn.BatchNorm1d(4)),
    "transposed groups norm": Normed(nn.ConvTranspose1d(6, 4, 3, groups=2), nn.BatchNorm1d(4)),
    "own statistics": Normed(nn.Conv1d(6, 4, 3), nn.BatchNorm1d(4, track_running_stats=False)),
    "pictures": Normed(nn.Conv2d(6, 4, (3, 1), padding=1), nn.BatchNorm2d(4)),
}


@pytest.mark.parametrize("decomposed", [False, True], ids=["as captured", "as recorded"])
@pytest.mark.parametrize("name", NETWORKS)
def test_computes_the_same(name: str, decomposed: bool) -> None:
    network = NETWORKS[name].eval()
    given = noise(2, 6, 20, 5) if name == "pictures" else noise(2, 6, 20)
    program = torch.export.export(network, (given,))
    if decomposed:
        program = program.run_decompositions()
    rewritten = torch.export.export(OfPictures(program.module()), (given,))
    torch.testing.assert_close(rewritten.module()(given), network(given))
    called = [node.target for node in rewritten.graph.nodes if node.op == "call_function"]
    assert not {aten.conv1d.default, aten.convolution.default} & {*called}
    norms = sum("batch_norm" in str(target) for target in called)
    assert norms == (name in ("transposed groups norm", "own statistics"))
    assert called.count(aten.unsqueeze.default) <= 3  # one picture, and the weights


@pytest.mark.parametrize("bias", [True, False])
def test_recorded_linear_layers(bias: bool) -> None:
    network, given = nn.Linear(6, 4, bias), noise(2, 3, 6)
    program = torch.export.export(network, (given,)).run_decompositions()
    assert aten.linear.default not in [node.target for node in program.graph.nodes]
    rewritten = torch.export.export(OfPictures(program.module()), (given,))
    torch.testing.assert_close(rewritten.module()(given), network(given))
    assert aten.linear.default in [node.target for node in rewritten.graph.nodes]


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (nn.Sequential(nn.Conv1d(6, 4, 3), nn.ReLU()), (6, 20)),
        (nn.Sequential(nn.Conv2d(6, 4, 3), nn.ReLU()), (6, 8, 9)),
        (nn.Conv3d(6, 4, 3), (1, 6, 5, 6, 7)),
    ],
)
def test_others_are_left_as_they_are(network: nn.Module, shape: tuple[int, ...]) -> None:
    given = noise(*shape)
    program = torch.export.export(network, (given,))
    rewritten = torch.export.export(OfPictures(program.module()), (given,))
    torch.testing.assert_close(rewritten.module()(given), network(given))


def test_what_follows_stays_a_picture() -> None:
    given = noise(2, 6, 20)
    program = torch.export.export(NETWORKS["a chain"], (given,))
    rewritten = torch.export.export(OfPictures(program.module()), (given,))
    called = [node.target for node in rewritten.graph.nodes if node.op == "call_function"]
    assert called[-1] is not aten.conv2d.default
    relu = called.index(aten.relu.default)
    assert called[relu + 1 :].count(aten.conv2d.default) == 1
    pictures = [node for node in rewritten.graph.nodes if node.target is aten.conv2d.default]
    assert pictures[1].args[0].target is aten.relu.default


def test_each_call_keeps_its_module() -> None:
    given = noise(2, 6, 20)
    program = torch.export.export(NETWORKS["a chain"], (given,))
    rewritten = torch.export.export(OfPictures(program.module()), (given,))
    modules = [
        [*node.meta["nn_module_stack"].values()][-1][0]
        for node in rewritten.graph.nodes
        if node.target is aten.conv2d.default
    ]
    assert modules == ["0", "2"]
