"""The published variants of AFFNet: their widths, and the numbers their authors report."""

from __future__ import annotations

from dataclasses import dataclass

from affnet.model.published import Published

_PAPER = "arXiv 2307.14008, ImageNet-1K, 256 px"


@dataclass(frozen=True)
class Variant:
    """One published size of the network."""

    name: str
    mode: str  # its name in the published code's configs
    channels: tuple[int, int, int, int, int]  # layer_1 .. layer_5
    expansion: int  # of the inverted residuals outside the AFF blocks
    published: Published
    peer: str  # the MobileViT of its size, of `affnet.model.peers.PEERS`

    @property
    def head_channels(self) -> int:
        """Width of ``conv_1x1_exp``."""
        return min(4 * self.channels[-1], 960)


VARIANTS: dict[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant(
            "affnet_et",
            "xx_small",
            (32, 48, 64, 104, 144),
            2,
            Published(73.0, 1.4, 0.4, _PAPER),
            "mobilevit_xxs",
        ),
        Variant(
            "affnet_t",
            "x_small",
            (32, 48, 96, 160, 192),
            4,
            Published(77.0, 2.6, 0.8, _PAPER),
            "mobilevit_xs",
        ),
        Variant(
            "affnet",
            "small",
            (32, 64, 128, 256, 320),
            4,
            Published(79.8, 5.5, 1.5, _PAPER),
            "mobilevit_s",
        ),
    )
}


def rival_of(network: str) -> str | None:
    """Return what the MobileViT that a variant is compared with would be called, without PyTorch.

    ``network`` is a variant, or one with a head or another mixer.
    """
    name = network.partition("+")[0]
    # the longest name first: affnet begins them all
    for variant in sorted(VARIANTS.values(), key=lambda one: -len(one.name)):
        if name == variant.name or name.startswith(f"{variant.name}_"):
            return variant.peer + name.removeprefix(variant.name)
    return None
