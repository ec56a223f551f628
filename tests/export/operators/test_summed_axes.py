"""Contractions over several axes in TFLite, and values put where a mask holds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from affnet.errors import ConversionError
from affnet.export.converters.gaps import with_line
from affnet.export.operators import indexing, replace_operators
from affnet.export.operators.contractions import as_product
from affnet.export.operators.summed_axes import in_another_order
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS
from tests.export.operators.test_rules import in_file

pytestmark = [*THIRD_PARTY_WARNINGS]


def test_the_rule_is_for_axes_that_differ_in_their_order() -> None:
    weights, x = torch.randn(5, 4, 3), torch.randn(2, 4, 5)
    rule = in_another_order(as_product)
    actual = rule("mbi,zbm->zi", [weights, x])
    expected = torch.einsum("mbi,zbm->zi", weights, x)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)
    assert rule("mbi,zmb->zi", [weights, x.mT]) is NotImplemented
    assert rule("mbi->bi", [weights]) is NotImplemented


def test_one_value_is_put_by_a_mask() -> None:
    x = torch.randn(3, 4, 5)
    for mask in (x > 0, x[..., 0] > 0, x[:, 0, 0] > 0):
        expected = x.clone()
        expected[mask] = 2.0
        assert torch.equal(indexing.fill_by_mask(x, [mask], torch.tensor(2.0)), expected)
    places = torch.tensor([0, 2])
    assert indexing.fill_by_mask(x, [places], torch.tensor(2.0)) is NotImplemented
    assert indexing.fill_by_mask(x, [x > 0], torch.ones(int((x > 0).sum()))) is NotImplemented


class Marked(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        marks = torch.zeros_like(x)
        marks[x > 0] = x[x > 0] * 2
        return marks


def test_as_many_values_as_a_mask_picks_stay() -> None:
    program = torch.export.export(Marked(), (torch.randn(8),))
    held = {node.target for node in replace_operators(program, "tflite").graph.nodes}
    assert torch.ops.aten.index_put.default in held
    error = with_line(ConversionError("Array boolean indices must be concrete; got x"), program)
    assert "index is from test_summed_axes.py" in error.problem
    assert error.remedy is not None and error.remedy.startswith("choose between values by torch")


@pytest.mark.converters
@pytest.mark.slow
def test_sums_over_axes_in_another_order_and_masks_in_tflite(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = torch.randn(5, 4, 3)

    def contracted(x: Tensor) -> Tensor:
        summed = torch.einsum("mbi,zbm->zi", weights, x)
        summed[summed < 0] = 1
        return summed + torch.einsum("...bm,mbi->...i", x, weights)

    x = torch.randn(2, 4, 5)
    actual = in_file(contracted, x, "tflite", tmp_path)
    torch.testing.assert_close(actual, contracted(x), rtol=1e-5, atol=1e-5)
