"""The 2-D DFT and its inverse by the runtime's forward transform, where it has no inverse one.

LiteRT has ``RFFT2D`` and ExecuTorch ``_fft_r2c``; both lack a way back, or the complex tensors to
feed it.  The inverse of a half spectrum P + iQ, with P and Q real and H x F for F = W // 2 + 1, is

    x[m, n] = sum over k, l of  w[l] (P[k, l] cos t - Q[k, l] sin t) / sqrt(H W),
    t = 2 pi (k m / H + l n / W),   w = 1 for the columns 0 and W / 2, 2 for those between,

and with zeros appended, to H x W, the forward transforms of the weighted parts are

    A = Re DFT(w P) = sum of w P cos t,      B = Im DFT(w Q) = -(sum of w Q sin t),

so that x = A + B.  A real transform yields n < F only, but t changes its sign from (m, n) to
(-m, -n), where A stays and B does not: x[m, n] = (A - B)[-m mod H, W - n] for n >= F.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affnet.model.mixer import FourierTransform, FrequencyMixer, Spectrum


class ForwardOnlyFFT(FourierTransform):
    """Computes both ways with ``forward_transform``, for any size that it takes."""

    def forward_transform(self, x: Tensor) -> Spectrum:
        """Return the unscaled half spectrum of B x C x H x W maps."""
        parts = torch.view_as_real(torch.fft.rfft2(x))
        return Spectrum(parts.select(-1, 0), parts.select(-1, 1))

    def analyse(self, x: Tensor) -> Spectrum:
        """See `FourierTransform.analyse`."""
        return self.forward_transform(x * _scale(*x.shape[-2:]))

    def synthesise(self, spectrum: Spectrum, width: int) -> Tensor:
        """See `FourierTransform.synthesise`."""
        channels, height, bins = spectrum.real.shape[-3:]
        parts = torch.cat(spectrum, dim=1) * torch.tensor(_weights(height, width))
        real, imag = self.forward_transform(F.pad(parts, (0, width - bins)))
        even, odd = real[:, :channels], imag[:, channels:]
        mirrored = (even - odd)[..., 1 : width - bins + 1].flip(-1)  # [m, W - n], m to be mirrored
        mirrored = torch.cat((mirrored[..., :1, :], mirrored[..., 1:, :].flip(-2)), dim=-2)
        return torch.cat((even + odd, mirrored), dim=-1)


def replace_native_transforms(network: nn.Module, transform: FourierTransform) -> None:
    """Give each frequency filter of ``network``, in place, ``transform``."""
    for module in network.modules():
        if isinstance(module, FrequencyMixer):
            module.transform = transform


def _scale(height: int, width: int) -> float:
    return 1 / math.sqrt(height * width)


def _weights(height: int, width: int) -> list[float]:
    """Return how much each column of a half spectrum counts in the scaled inverse."""
    once = {0, width / 2}
    return [_scale(height, width) * (1 if f in once else 2) for f in range(width // 2 + 1)]
