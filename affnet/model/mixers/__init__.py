"""Token mixers: one module per file, B x C x H x W maps to the same, one line each in `MIXERS`."""

from __future__ import annotations

import importlib

from affnet.errors import ImageSizeError, UnknownNameError
from affnet.model.mixers.base import InResidual, TokenMixer
from affnet.units import image_size

MIXERS: dict[str, str] = {
    "aff": "affnet.model.mixer:AdaptiveFrequencyFilter",
    "gfnet": "affnet.model.mixers.gfnet:GlobalFilter",
    "afno": "affnet.model.mixers.afno:AdaptiveFourierOperator",
    "fnet": "affnet.model.mixers.fnet:FourierMixing",
    "attention": "affnet.model.mixers.attention:SelfAttention",
    "mobilevit": "affnet.model.mixers.mobilevit:UnfoldedAttention",
    "mobilevitv2": "affnet.model.mixers.mobilevitv2:SeparableAttention",
    "twins": "affnet.model.mixers.twins:LocalThenSubsampledAttention",
    "edgevit": "affnet.model.mixers.edgevit:LocalGlobalLocal",
    "efficientvit": "affnet.model.mixers.efficientvit:MultiScaleLinearAttention",
    "reformer": "affnet.model.mixers.reformer:LSHAttention",
    "nystrom": "affnet.model.mixers.nystrom:NystromAttention",
    "luna": "affnet.model.mixers.luna:PackedAttention",
    "pool": "affnet.model.mixers.pool:AveragePooling",
    "dwconv": "affnet.model.mixers.dwconv:LargeKernelConvolution",
}


def get_mixer(name: str) -> type[TokenMixer]:
    """Return the class of the mixer called ``name``, or raise `UnknownNameError`."""
    if name not in MIXERS:
        raise UnknownNameError("token mixer", name, MIXERS)
    module, _, attribute = MIXERS[name].partition(":")
    mixer: type[TokenMixer] = getattr(importlib.import_module(module), attribute)
    return mixer


def create_mixer(
    name: str, channels: int, size: tuple[int, int], activation: str = "swish"
) -> TokenMixer:
    """Build a token mixer with random weights, in training mode.

    Args:
        name: one of `MIXERS`.
        channels: of the maps, a multiple of 8.
        size: height and width of the maps, for mixers that are made for one size; see
            `TokenMixer.create`.
        activation: of the AFF filter, one of `affnet.model.layers.ACTIVATIONS`; the others have
            those of their papers.

    Raises:
        UnknownNameError: no such mixer or activation.
        ImageSizeError: empty maps, or channels in no blocks of 8.
    """
    if channels < 8 or channels % 8 or min(size) < 1:
        raise ImageSizeError(
            f"A token mixer takes maps of at least one pixel whose channels are a multiple of 8, "
            f"not {channels} channels of {image_size(*size)}."
        )
    return get_mixer(name).create(channels, size, activation)


def in_residual(mixer: TokenMixer) -> TokenMixer:
    """Return a mixer that adds its input: ``mixer`` itself where it does already."""
    return mixer if mixer.adds_input else InResidual(mixer)
