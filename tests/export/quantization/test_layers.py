"""The names of the parts that get a precision of their own."""

from __future__ import annotations

import pytest

from affnet.export.quantization.layers import KeptModules, KeptParts, part_of


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
    ("named", "module", "kept"),
    [
        ("layer_1", "layer_1.0.block.exp_1x1.block.conv", True),
        ("layer_1.0", "layer_1.0.block.red_1x1.block.conv", True),
        ("layer_1.0.block.exp_1x1.block.conv", "layer_1.0.block.red_1x1.block.conv", True),
        ("layer_1", "layer_10.0.block.exp_1x1.block.conv", False),
        ("layer_1.0", "layer_1", True),
        ("stage.global_rep.0.filter", "stage.global_rep.0.filter", True),
        ("stage.global_rep.0.filter", "stage.global_rep.0.mlp", False),
    ],
)
def test_a_module_keeps_the_parts_that_it_has_a_share_in(
    named: str, module: str, kept: bool
) -> None:
    assert KeptParts(modules=(named,)).keeps((module,), "conv") == kept


def test_a_part_stays_by_its_operator() -> None:
    kept = KeptParts(frozenset({"layer_3.1.global_rep.0.filter: DFT"}))
    assert kept.keeps(("layer_3.1.global_rep.0.filter",), "linear")
    assert not kept.keeps(("layer_3.1.global_rep.0.filter",), "conv")


@pytest.mark.parametrize(
    ("modules", "kept"),
    [
        (("encoder.blocks.0",), False),
        (("encoder.blocks.1",), True),  # named
        (("encoder.blocks.1.conv",), True),  # inside
        (("encoder.blocks.10",), True),  # not in 8 bits
        (("encoder.blocks.10", "encoder.blocks.0"), False),  # fused with what is
        (("encoder.blocks.0", "encoder.blocks.1"), True),  # fused with what is named
        (("encoder",), True),
        ((), True),
    ],
)
def test_modules_of_ones_own(modules: tuple[str, ...], kept: bool) -> None:
    in_8_bits = frozenset({"encoder.blocks.0", "encoder.blocks.1", "encoder.blocks.1.conv"})
    assert KeptModules(("encoder.blocks.1",), in_8_bits).keeps(modules, "conv") == kept
    assert not KeptModules().keeps(modules, "conv")
