"""Exact algebra on a network's weights before export: linear maps that meet become one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from affnet.model.dense.ssdlite import SingleShotDetector, map_sizes
from affnet.model.layers import ChannelLayerNorm, ConvLayer
from affnet.model.mixer import FrequencyMixer
from affnet.model.network import AFFBlock, AFFStage


def fold_linear_maps(model: nn.Module) -> None:
    """Fold, in place, what is linear before a convolution into its weights; freeze the filters'.

    An AFF stage ends in ``fusion(concat(x, conv_proj(norm(y))))``.  The norm's scale and shift,
    the projection and the right half of the fusion are linear maps of channels without an
    activation between them, so that their product is computed here, in float64, instead of on
    every image: before, ``W [x; P (g n + s) + p] + b``; after, ``[W_x, W_y P g] [x; n] + b'`` with
    ``b' = b + W_y (P s + p)``.
    """
    for module in list(model.modules()):
        if isinstance(module, AFFStage):
            _fold_projection(module)
        elif isinstance(module, FrequencyMixer):
            module.freeze()


def freeze_anchors(model: nn.Module, shape: Sequence[int]) -> None:
    """Make the anchors for inputs of ``shape`` constants of a detection network, in place."""
    for module in model.modules():
        if isinstance(module, SingleShotDetector):
            module.anchors.freeze(map_sizes(*shape[2:]))


def _fold_projection(stage: AFFStage) -> None:
    norm = cast("nn.GroupNorm | ChannelLayerNorm", stage.global_rep[-1])
    scale, shift = norm.weight.detach().double(), norm.bias.detach().double()
    project, offset = _linear_map(stage.conv_proj)
    fuse, bias = _linear_map(stage.fusion)
    channels = len(project)
    fuse_input, fuse_projection = fuse[:, :channels], fuse[:, channels:]
    bias = bias + fuse_projection @ (project @ shift + offset)
    weight = torch.cat((fuse_input, fuse_projection @ project * scale), dim=1)

    fused = nn.Conv2d(2 * channels, channels, 1)
    with torch.no_grad():
        fused.weight.copy_(weight[..., None, None])
        fused.bias.copy_(bias)  # type: ignore[union-attr]  # it has one
        norm.weight.fill_(1)
        norm.bias.fill_(0)
    if isinstance(norm, nn.GroupNorm):  # the other form's scale of 1 is folded by converters
        norm.register_parameter("weight", None)
        norm.register_parameter("bias", None)
    stage.conv_proj = nn.Identity()  # type: ignore[assignment]
    stage.fusion.block.conv = fused
    stage.fusion.block.norm = nn.Identity()


def _linear_map(layer: ConvLayer) -> tuple[Tensor, Tensor]:
    """Return matrix and offset, float64, of a 1x1 convolution with its batch norm in eval mode."""
    conv = cast(nn.Conv2d, layer.block.conv)
    norm = cast(nn.BatchNorm2d, layer.block.norm)
    fused = fuse_conv_bn_eval(conv.double(), norm.double())
    assert fused.bias is not None  # batch norm gives it one
    return fused.weight.detach().flatten(1), fused.bias.detach()


def fold_batch_norms(model: nn.Module) -> None:
    """Fold the batch norm after each convolution into it, in place.

    Converters do that too; here weights and operators keep their module's name by it, and what is
    quantised are the weights that the format holds.
    """
    for layer in model.modules():
        norm = getattr(layer.block, "norm", None) if isinstance(layer, ConvLayer) else None
        if isinstance(layer, ConvLayer) and isinstance(norm, nn.BatchNorm2d):
            layer.block.conv = fuse_conv_bn_eval(cast(nn.Conv2d, layer.block.conv), norm)
            layer.block.norm = nn.Identity()


def merge_scale_and_shift(model: nn.Module) -> None:
    """Let each AFF block's normalisations scale and shift in one operator, in place.

    Exporters write ``n * scale + shift`` as two passes over the map.  Before the channel MLP it
    becomes a depthwise 1x1 convolution, which runtimes with a blocked layout keep in that layout
    together with the convolutions and the addition after it; before the filter, whose matrix
    products want the plain layout, a batch norm.
    """
    for block in model.modules():
        if isinstance(block, AFFBlock):
            block.norm1 = _with_affine(block.norm1, _depthwise)
            block.norm2 = _with_affine(block.norm2, _batch_norm)


def _with_affine(norm: nn.Module, make: Callable[[Tensor, Tensor], nn.Module]) -> nn.Module:
    if not isinstance(norm, nn.GroupNorm):
        return norm
    affine = make(norm.weight.detach(), norm.bias.detach())
    plain = nn.GroupNorm(norm.num_groups, norm.num_channels, norm.eps, affine=False)
    return nn.Sequential(plain, affine).eval()


def _depthwise(scale: Tensor, shift: Tensor) -> nn.Module:
    channels = len(scale)
    conv = nn.Conv2d(channels, channels, 1, groups=channels)
    conv.weight = nn.Parameter(scale.reshape(-1, 1, 1, 1).clone())
    conv.bias = nn.Parameter(shift.clone())
    return conv


def _batch_norm(scale: Tensor, shift: Tensor) -> nn.Module:
    norm = nn.BatchNorm2d(len(scale), eps=0.0)  # its running mean is 0 and its variance 1
    norm.weight = nn.Parameter(scale.clone())
    norm.bias = nn.Parameter(shift.clone())
    return norm
