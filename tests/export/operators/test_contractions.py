"""Contractions of two tensors as one product of matrices."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor, nn

from affnet.export.operators import replace_operators, rules_for
from affnet.export.operators.contractions import as_product, matmul
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.model.source import load_source
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, Program

pytestmark = [*THIRD_PARTY_WARNINGS]

aten = torch.ops.aten
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
        "ab,ab->ab",  # nothing is summed
        "abcd,abecd->abecd",
        "ad,b->bda",
    ],
)
def test_products_are_torchs(equation: str) -> None:
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    tensors = [tensor(term) for term in terms]
    actual = as_product(equation, tensors)
    torch.testing.assert_close(actual, torch.einsum(equation, tensors), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "equation",
    ["ab,bd", "aa,ad->ad", "aa,ad->d", "ab,bd->d", "...b,bd->...d", "ab,bd,de->ae", "ab->ba"],
)
def test_what_is_no_such_product_stays(equation: str) -> None:
    terms = equation.partition("->")[0].replace("...", "a").split(",")
    assert as_product(equation, [tensor(term) for term in terms]) is NotImplemented
    assert as_product("ab,bd->ad", [torch.ones(2, 1), torch.ones(3, 4)]) is NotImplemented


@pytest.mark.parametrize(
    ("left", "right", "changes"),
    [
        ((1, 1, 20, 1, 3), (1, 20, 3, 2), True),
        ((20, 2, 3), (20, 3, 4), True),
        ((20, 8, 8), (20, 8, 8), False),  # much at each place
        ((15, 2, 3), (15, 3, 4), False),  # few places
        ((20, 2, 3), (1, 3, 4), False),  # the same matrix at each
        ((4, 1, 2, 3), (1, 4, 3, 4), False),  # each with each
        ((2, 3), (3, 4), False),
    ],
)
def test_little_matrices_at_many_places(
    left: tuple[int, ...], right: tuple[int, ...], changes: bool
) -> None:
    torch.manual_seed(0)
    a, b = torch.randn(left), torch.randn(right)
    found = matmul(a, b)
    assert (found is not NotImplemented) == changes
    if changes:
        torch.testing.assert_close(found, a @ b, rtol=1e-5, atol=1e-5)


class Mixing(nn.Module):
    """A matrix of channels for each frequency."""

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        return torch.einsum("bif,iof->bof", x, weight)


@pytest.mark.parametrize(("channels", "products"), [(11, 0), (12, 1)])
def test_little_at_each_frequency_is_no_product(channels: int, products: int) -> None:
    given = torch.randn(1, channels, 513), torch.randn(channels, channels, 513)
    program = replace_operators(torch.export.export(Mixing(), given), "onnx")
    names = [str(node.target) for node in program.graph.nodes]
    assert sum("matmul" in name or "bmm" in name for name in names) == products
    torch.testing.assert_close(program.module()(*given), Mixing()(*given), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [3, 30])
def test_any_number_of_signals_is_mixed(channels: int) -> None:
    given = torch.randn(4, channels, 513), torch.randn(channels, channels, 513)
    axes = {0: torch.export.Dim("batch", min=1, max=8)}, None
    program = torch.export.export(Mixing(), given, dynamic_shapes=axes)
    mixed = replace_operators(program, "onnx").module()
    for batch in (1, 7):
        x = torch.randn(batch, channels, 513)
        expected = Mixing()(x, given[1])
        torch.testing.assert_close(mixed(x, given[1]), expected, rtol=1e-4, atol=1e-4)


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
    assert {aten.matmul.default, aten.bmm.default} <= set(rules_for("onnx"))
    assert {aten.matmul.default, aten.bmm.default}.isdisjoint(rules_for("ncnn"))
    x, weights = torch.randn(2, 3, 5), torch.randn(3, 4, 5)
    rules = rules_for("onnx"), rules_for("ncnn")
    found = [rule[aten.einsum.default]("bif,iof->bof", [x, weights]) for rule in rules]
    assert found[0] is not NotImplemented
    assert found[1] is NotImplemented


def test_a_view_of_a_product_whose_axes_are_in_another_order() -> None:
    torch.manual_seed(0)
    weights, x = torch.randn(5, 16, 9), torch.randn(3, 5, 9)

    def rows(x: Tensor) -> Tensor:
        return torch.einsum("mbi,zmi->zbm", weights, x).reshape(-1, 5).cos()

    program = torch.export.export(Program(rows), (x,)).run_decompositions({})
    assert torch.ops.aten.view.default in {node.target for node in program.graph.nodes}
    result = replace_operators(program, "onnx").module()(x)
    torch.testing.assert_close(result, rows(x), rtol=1e-5, atol=1e-5)
