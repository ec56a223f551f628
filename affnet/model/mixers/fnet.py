"""FNet's Fourier transform in the place of attention."""

from __future__ import annotations

import torch
from torch import Tensor

from affnet.model.mixers.base import TokenMixer
from affnet.model.mixers.tokens import to_maps, to_tokens


class FourierMixing(TokenMixer):
    """The real part of the DFT over tokens and channels, without parameters.

    ``y = Re(F_tokens(F_channels(x)))``, the tokens of an image in the order of its pixels, row by
    row, as FNet takes a sequence; not normalised, as published.
    """

    source = "FNet, arXiv 2105.03824, section 3.2, equation 3"
    complexity = "N log N C + N C log C"
    is_global = True
    adapts = False

    def __init__(self, _channels: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        spectrum = torch.fft.fftn(to_tokens(x), dim=(1, 2))
        return to_maps(spectrum.real, *x.shape[-2:])
