"""Group normalisations as layer normalisations: the same function."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from affnet.export.normalisation import WholeMapNorm, replace_group_norms


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(2, 6, 5, 7), (3, 6, 4), (2, 6)])
def test_the_same_function(groups, affine, shape):
    if shape == (2, 6) and groups == 6:
        return  # one value per group: torch refuses to normalise it
    norm = nn.GroupNorm(groups, 6, eps=1e-3, affine=affine)
    if affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    x = 3 + 10 * torch.randn(shape)
    torch.testing.assert_close(WholeMapNorm(norm)(x), norm(x), rtol=1e-5, atol=1e-5)


def test_replaces_all_of_a_network():
    network = nn.Sequential(nn.Sequential(nn.GroupNorm(1, 4)), nn.GroupNorm(2, 4), nn.ReLU())
    replace_group_norms(network)
    kinds = [type(module).__name__ for module in network.modules()]
    assert kinds.count("WholeMapNorm") == 2
    assert "GroupNorm" not in kinds
