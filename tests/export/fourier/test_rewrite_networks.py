"""Five networks that are not AFFNet: the rewritten program computes the same.

``tests/export/test_own_networks.py`` converts them to every format.
"""

from __future__ import annotations

import pytest
import torch

from tests.export.fourier.rewriting import (
    THIRD_PARTY_WARNINGS,
    assert_same,
)
from tests.networks.fourier_networks import NETWORKS, make

pytestmark = THIRD_PARTY_WARNINGS


@pytest.mark.parametrize("name", NETWORKS)
def test_the_program_computes_the_same(name: str) -> None:
    model, x = make(name)
    result = assert_same(model, x, tolerance=1e-5)
    ranks = [
        node.meta["val"].dim()
        for node in result.program.graph.nodes
        if isinstance(node.meta.get("val"), torch.Tensor)
    ]
    assert max(ranks) <= 5  # Core ML takes no more


@pytest.mark.parametrize("name", NETWORKS)
def test_the_batch_may_be_dynamic(name: str) -> None:
    model, x = make(name)
    shapes = ({0: torch.export.Dim("batch", min=2)},)
    others = (torch.cat((x, x.flip(0), x[:1])),)
    assert_same(model, x, tolerance=1e-5, others=others, dynamic_shapes=shapes)
