"""The names of the parts that get a precision of their own."""

from __future__ import annotations

import pytest

from affnet.export.quantization.layers import KeptParts, part_of


@pytest.mark.parametrize(
    ("module", "operator", "part"),
    [
        ("layer_1.0.block.exp_1x1.block.conv", "conv", "layer_1.0"),
        ("stage.global_rep.0.mlp.block.red_1x1.block.conv", "conv", "stage.global_rep.0.mlp"),
        ("stage.fusion.block.act", "mul", "stage.fusion"),
        ("classifier.fc", "linear", "classifier.fc"),
        ("", "conv", "conv"),
        ("stage.global_rep.0.filter", "matmul", "stage.global_rep.0.filter: DFT"),
        ("stage.global_rep.0.filter", "conv", "stage.global_rep.0.filter: mask"),
        ("stage.global_rep.0.filter.mixer.act", "mul", "stage.global_rep.0.filter: mask"),
        ("stage.global_rep.0.filter.chunks.1", "clamp", "stage.global_rep.0.filter: shrinkage"),
        ("filter", "mul", "filter: product"),
        ("network.network.layer_1.0.block.exp_1x1", "conv", "layer_1.0"),  # behind a head
    ],
)
def test_parts(module: str, operator: str, part: str) -> None:
    assert part_of(module, operator) == part


@pytest.mark.parametrize(
    ("module", "part", "kept"),
    [
        ("layer_1", "layer_1.0", True),
        ("layer_1.0", "layer_1.0", True),
        ("layer_1.0.block.exp_1x1.block.conv", "layer_1.0", True),
        ("layer_1", "layer_10.0", False),
        ("layer_1.0", "layer_1", True),
        ("stage.global_rep.0.filter", "stage.global_rep.0.filter: DFT", True),
        ("stage.global_rep.0.filter", "stage.global_rep.0.mlp", False),
    ],
)
def test_a_module_keeps_the_parts_that_it_has_a_share_in(
    module: str, part: str, kept: bool
) -> None:
    assert (part in KeptParts(modules=(module,))) == kept
