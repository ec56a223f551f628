"""MobileViT's weights under the names that ml-cvnets, which published them, gives its layers.

transformers names the same layers otherwise, counts stages from 0, and keeps query, key and value
of MobileViT's attention apart, which ml-cvnets computes by one product.  Read from ml-cvnets' own
networks, both generations: https://github.com/apple/ml-cvnets at 7771756.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

_STEM = "conv_1.block.conv.weight"
_STAGE = re.compile(r"layer_(\d)\.(\d+)\.(.+)")
_FIRST_WITH_ATTENTION = 3
_TRANSFORMER = re.compile(r"global_rep\.(\d+)\.(.+)")
_OUTSIDE = (
    (r"conv_1\.block\.", "{prefix}.conv_stem."),
    (r"conv_1x1_exp\.block\.", "{prefix}.conv_1x1_exp."),
    (r"classifier\.(?:fc|1)\.", "classifier."),
)
#: Of a stage, after its number: what ml-cvnets calls it, and what transformers does.
_WITHIN = (
    (r"block\.exp_1x1\.block\.", "expand_1x1."),
    (r"block\.conv_3x3\.block\.", "conv_3x3."),
    (r"block\.red_1x1\.block\.", "reduce_1x1."),
    (r"local_rep\.(?:conv_3x3|0)\.block\.", "conv_kxk."),
    (r"local_rep\.(?:conv_1x1|1)\.(?:block\.)?", "conv_1x1."),
    (r"conv_proj\.block\.", "conv_projection."),
    (r"fusion\.block\.", "fusion."),
)
#: Of a transformer's layer.
_LAYER = (
    (r"pre_norm_(?:mha|attn)\.0\.", "layernorm_before."),
    (r"pre_norm_mha\.1\.qkv_proj\.", "attention.attention.qkv."),
    (r"pre_norm_mha\.1\.out_proj\.", "attention.output.dense."),
    (r"pre_norm_attn\.1\.(qkv|out)_proj\.block\.", r"attention.\1_proj."),
    (r"pre_norm_ffn\.0\.", "layernorm_after."),
    (r"pre_norm_ffn\.1\.block\.", "ffn.conv1."),
    (r"pre_norm_ffn\.3\.block\.", "ffn.conv2."),
    (r"pre_norm_ffn\.1\.", "intermediate.dense."),
    (r"pre_norm_ffn\.4\.", "output.dense."),
)


def is_of_cvnets(entries: Mapping[str, Tensor]) -> bool:
    """Return whether these are a classifier's weights by ml-cvnets' names."""
    return _STEM in entries


def as_transformers(prefix: str, entries: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the entries by transformers' names; ``prefix`` is that of its backbone.

    A name that is unknown stays, so that what checks the fit names it as its user wrote it.
    """
    renamed: dict[str, Tensor] = {}
    for name, value in entries.items():
        new = _renamed(prefix, name)
        if ".qkv." in new and value.shape[0] % 3 == 0:
            for part, rows in zip(("query", "key", "value"), torch.chunk(value, 3), strict=True):
                renamed[new.replace(".qkv.", f".{part}.")] = rows
        else:
            renamed[new] = value
    return renamed


def _renamed(prefix: str, name: str) -> str:
    stage = _STAGE.fullmatch(name)
    if stage is None:
        return _parts(_replaced(name, _OUTSIDE).format(prefix=prefix))
    number, index, rest = int(stage[1]), stage[2], stage[3]
    where = f"{prefix}.encoder.layer.{number - 1}"
    if number < _FIRST_WITH_ATTENTION:
        return f"{where}.layer.{index}.{_parts(_replaced(rest, _WITHIN))}"
    if rest.startswith("block."):
        return f"{where}.downsampling_layer.{_parts(_replaced(rest, _WITHIN))}"
    transformer = _TRANSFORMER.fullmatch(rest)
    if transformer is None:
        return f"{where}.{_parts(_replaced(rest, _WITHIN))}"
    layer, inner = transformer[1], transformer[2]
    if "." not in inner:  # the norm at the transformer's end, which has no parts
        return f"{where}.layernorm.{inner}"
    return f"{where}.transformer.layer.{layer}.{_parts(_replaced(inner, _LAYER))}"


def _replaced(name: str, table: tuple[tuple[str, str], ...]) -> str:
    for pattern, new in table:
        if re.match(pattern, name):
            return re.sub(f"^{pattern}", new, name)
    return name


def _parts(name: str) -> str:
    """Rename the halves of ml-cvnets' ConvLayer."""
    name = re.sub(r"(^|\.)conv\.(weight|bias)$", r"\1convolution.\2", name)
    return re.sub(r"(^|\.)norm\.(\w+)$", r"\1normalization.\2", name)
