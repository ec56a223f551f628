"""Contractions of two tensors as one product of matrices."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn

from affnet.export.operators import rules_for
from affnet.export.operators.contractions import as_product
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.model.source import load_source

LENGTHS = dict(zip("abcdefg", (2, 3, 1, 4, 5, 2, 3), strict=True))


def tensor(term: str) -> Tensor:
    torch.manual_seed(len(term))
    return torch.randn([LENGTHS[name] for name in term])


@pytest.mark.parametrize(
    "equation",
    [
        "ab,bd->ad",
        "ab, bd -> da",
        "bade,dge->bagd",  # a shared axis behind, as Legendre functions have orders
        "acde,bcde->abde",
        "ab,cb->ac",
        "abd,bd->a",  # a dot product
        "bd,bd->b",
        "fabd,dbef->aef",
    ],
)
def test_products_are_torchs(equation: str) -> None:
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    tensors = [tensor(term) for term in terms]
    actual = as_product(equation, tensors)
    torch.testing.assert_close(actual, torch.einsum(equation, tensors), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "equation",
    ["ab,bd", "aa,ad->d", "ab,bd->d", "ab,ab->ab", "...b,bd->...d", "ab,bd,de->ae", "ab->ba"],
)
def test_what_is_no_such_product_stays(equation: str) -> None:
    terms = equation.partition("->")[0].replace("...", "a").split(",")
    assert as_product(equation, [tensor(term) for term in terms]) is NotImplemented
    assert as_product("ab,bd->ad", [torch.ones(2, 1), torch.ones(3, 4)]) is NotImplemented


class Spherical(nn.Module):
    """A transform along meridians, as torch-harmonics has it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("functions", torch.randn(5, 4, 6))

    def forward(self, x: Tensor) -> Tensor:
        z = torch.fft.rfft(x)
        parts = (torch.einsum("bkm,mlk->blm", part, self.functions) for part in (z.real, z.imag))
        return torch.fft.irfft(torch.complex(*parts), n=8)


def spherical() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return Spherical().eval(), torch.randn(1, 6, 8)


def test_weights_are_moved_once(tmp_path: Path) -> None:
    source = load_source("tests.export.operators.test_contractions:spherical")
    path = export_artifact(source, ExportOptions("onnx"), tmp_path).path
    model = onnx.load(path)
    assert "Einsum" not in {node.op_type for node in model.graph.node}
    stored = {one.name for one in model.graph.initializer}
    moved = [node for node in model.graph.node if node.op_type == "Transpose"]
    assert not [node for node in moved if node.input[0] in stored]


def test_ncnn_keeps_contractions() -> None:
    assert torch.ops.aten.einsum.default in rules_for("onnx")
    assert torch.ops.aten.einsum.default not in rules_for("ncnn")
