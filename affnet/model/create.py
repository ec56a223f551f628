"""Building networks by name: each variant of AFFNet, and each of them as a dense task's encoder."""

from __future__ import annotations

from affnet.errors import UnknownNameError, UsageError
from affnet.model.dense.deeplabv3 import DeepLabv3
from affnet.model.dense.ssdlite import SSDLite
from affnet.model.network import AFFNet
from affnet.model.sizes import SizeRule
from affnet.model.variants import VARIANTS, Variant

Network = AFFNet | DeepLabv3 | SSDLite

#: The class of what follows a variant's name, and how many classes it has by default: those of
#: ImageNet, of Pascal VOC, and of COCO with the background.
HEADS: dict[str, tuple[type[Network], int]] = {
    "": (AFFNet, 1000),
    "deeplabv3": (DeepLabv3, 21),
    "ssdlite": (SSDLite, 81),
}


def network_name(variant: str, head: str) -> str:
    """Return the name of a variant with a head: ``affnet_et_ssdlite``."""
    return f"{variant}_{head}" if head else variant


_NAMES: dict[str, tuple[Variant, str]] = {
    network_name(variant.name, head): (variant, head)
    for head in HEADS
    for variant in VARIANTS.values()
}

#: Every name that `create_model` takes.
NETWORKS = tuple(_NAMES)


def head_of(name: str) -> str:
    """Return what follows the variant in a network's name; it is empty for classification."""
    return _NAMES[name][1]


def create_model(
    name: str,
    *,
    num_classes: int | None = None,
    activation: str = "swish",
    attn_norm: str = "layer_norm_2d",
    mixer: str = "aff",
    image_size: tuple[int, int] | None = None,
) -> Network:
    """Build an AFFNet with random weights, in training mode.

    Args:
        name: ``affnet_et``, ``affnet_t`` or ``affnet``, for classification; with ``_deeplabv3``
            after it for segmentation, with ``_ssdlite`` for detection.
        num_classes: number of scores; None for 1000, 21 (Pascal VOC) and 81 (COCO), in this order.
            Those of detection include the background, which is class 0.
        activation: one of `affnet.model.layers.ACTIVATIONS`; used everywhere, in the filter too.
        attn_norm: the normalisation inside AFF stages, ``layer_norm_2d`` or ``layer_norm``.
        mixer: the token mixer of the blocks, one of `affnet.model.mixers.MIXERS`.
        image_size: height and width of the images, for mixers that are made for one map size, and
            ignored by ``aff``; None for 256 x 256, 512 x 512 and 320 x 320, in the order above.

    Raises:
        UnknownNameError: a name that is none of these; the message lists the valid ones.
        UsageError: ``num_classes`` below 1.
        ImageSizeError: ``image_size`` has a side that is no multiple of the network's stride.
    """
    if name not in _NAMES:
        raise UnknownNameError("variant", name, NETWORKS)
    variant, head = _NAMES[name]
    network, default_classes = HEADS[head]
    if num_classes is None:
        num_classes = default_classes
    if num_classes < 1:
        raise UsageError(f"num_classes must be at least 1, not {num_classes}.")
    image_size = image_size or network.DEFAULT_SIZE
    SizeRule().check(name, *image_size)
    return network(variant, num_classes, activation, attn_norm, mixer, image_size)
