"""What networks cost, counted."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affnet import create_model
from affnet.model.cost import count_macs


@pytest.mark.parametrize(
    ("name", "macs"), [("affnet_et", 343e6), ("affnet_t", 757e6), ("affnet", 1386e6)]
)
def test_without_plans_only_the_mixers_channel_products_are_counted(name: str, macs: float) -> None:
    counted = count_macs(create_model(name).eval(), (torch.zeros(1, 3, 256, 256),))
    assert macs < counted < 1.1 * macs  # the mixers' own share is 11 to 16 %


def test_work_grows_with_the_pixels_and_parameters_do_not() -> None:
    model = create_model("affnet_et", num_classes=1).eval()
    head = 576  # the classifier and nothing else sees no pixels
    small, large = (
        count_macs(model, (torch.zeros(1, 3, 64, 64),)) - head,
        count_macs(model, (torch.zeros(1, 3, 128, 128),)) - head,
    )
    # the half spectrum of a map of W columns has W // 2 + 1: a little more than half
    assert 3.5 * small < large < 4 * small


class Attention(nn.Module):
    """Two heads of 8 channels among the pixels, whose own values are queries, keys and values."""

    def forward(self, x: Tensor) -> Tensor:
        heads = x.reshape(1, 2, 8, -1).transpose(-1, -2)
        return F.scaled_dot_product_attention(heads, heads, heads)


def test_fused_attention_is_counted_as_its_two_products() -> None:
    tokens = 6 * 7
    assert count_macs(Attention(), (torch.zeros(1, 16, 6, 7),)) == 2 * 2 * tokens * tokens * 8
