"""The AFF token mixer, written once on real and imaginary parts.

The mixer never sees a complex tensor.  Its spectrum is real, B x 2C x H x F with F = W // 2 + 1,
where channel 2c holds the real and channel 2c + 1 the imaginary part of channel c.  In that
layout the complex channel MLP is an ordinary grouped 1x1 convolution, and a DFT by matrix product
can deliver it without a transpose.  How the spectrum is reached is the business of a
`FourierTransform`: `TorchFFT` here, matrix products in `affnet.export.fourier.plans`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affnet.model.layers import make_activation


class FourierTransform(nn.Module, ABC):
    """The orthonormal 2-D DFT of real maps, and its inverse, on interleaved real parts."""

    @abstractmethod
    def analyse(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to its half spectrum, B x 2C x H x (W // 2 + 1)."""

    @abstractmethod
    def synthesise(self, spectrum: Tensor, width: int) -> Tensor:
        """Map B x 2C x H x (W // 2 + 1) to B x C x H x ``width``, as `torch.fft.irfft2` does.

        The spectrum need not be that of a real map: the imaginary parts of the columns 0 and W / 2
        are dropped after the transform over H, the other columns count twice.
        """


class TorchFFT(FourierTransform):
    """The transform by `torch.fft`; differentiable, for any size, what training uses."""

    def analyse(self, x: Tensor) -> Tensor:
        """See `FourierTransform.analyse`."""
        parts = torch.view_as_real(torch.fft.rfft2(x, norm="ortho"))
        return parts.permute(0, 1, 4, 2, 3).flatten(1, 2)

    def synthesise(self, spectrum: Tensor, width: int) -> Tensor:
        """See `FourierTransform.synthesise`."""
        height = spectrum.shape[-2]
        parts = _split_parts(spectrum).permute(0, 1, 3, 4, 2).contiguous()
        x: Tensor = torch.fft.irfft2(torch.view_as_complex(parts), s=(height, width), norm="ortho")
        return x


def complex_kernel(weight: Tensor) -> Tensor:
    """Turn block-diagonal complex weights into the kernel of a grouped 1x1 convolution.

    ``weight`` is 2 x K x s x s: (real, imaginary) x block x in x out.  The result is
    (K s 2) x (s 2) x 1 x 1 for interleaved channels, each entry w of it the 2 x 2 matrix
    [[w_r, -w_i], [w_i, w_r]] that multiplies (real, imaginary) by a complex number.
    """
    real, imag = weight.transpose(-1, -2)  # each K x out x in
    to_real = torch.stack((real, -imag), dim=-1)
    to_imag = torch.stack((imag, real), dim=-1)
    kernel = torch.stack((to_real, to_imag), dim=2)  # K x out x 2 x in x 2
    return kernel.flatten(0, 2).flatten(1)[..., None, None]


def complex_bias(bias: Tensor) -> Tensor:
    """Turn 2 x K x s biases into the (K s 2) biases of interleaved channels."""
    return bias.permute(1, 2, 0).flatten()


class AdaptiveFrequencyFilter(nn.Module):
    """Multiply the spectrum by a mask that a complex channel MLP predicts from the spectrum itself.

    Source: "Adaptive Frequency Filters As Efficient Global Token Mixers", ICCV 2023, section 3.2.
    Replace ``transform`` to compute the same function without an FFT.
    """

    NUM_BLOCKS = 8
    THRESHOLD = 0.01

    def __init__(self, channels: int, activation: str) -> None:
        super().__init__()
        size = channels // self.NUM_BLOCKS
        scale = 0.02  # as the published code initialises them
        self.w1 = nn.Parameter(scale * torch.randn(2, self.NUM_BLOCKS, size, size))
        self.b1 = nn.Parameter(scale * torch.randn(2, self.NUM_BLOCKS, size))
        self.w2 = nn.Parameter(scale * torch.randn(2, self.NUM_BLOCKS, size, size))
        self.b2 = nn.Parameter(scale * torch.randn(2, self.NUM_BLOCKS, size))
        self.act = make_activation(activation)
        self.transform: FourierTransform = TorchFFT()

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape, in float32 whatever the input's type."""
        dtype, x = x.dtype, x.float()
        spectrum = self.transform.analyse(x)
        filtered = complex_product(self.mask(spectrum), spectrum)
        return (self.transform.synthesise(filtered, x.shape[-1]) + x).to(dtype)

    def mask(self, spectrum: Tensor) -> Tensor:
        """Predict the mask, B x 2C x H x F, from the spectrum of the same shape."""
        hidden = self.act(self._mix_channels(spectrum, self.w1, self.b1))
        mask = self._mix_channels(hidden, self.w2, self.b2)
        # soft shrinkage; this form needs no comparison and no operator a mobile runtime lacks
        return mask - mask.clamp(-self.THRESHOLD, self.THRESHOLD)

    def _mix_channels(self, spectrum: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        kernel, offset = complex_kernel(weight), complex_bias(bias)
        return F.conv2d(spectrum, kernel, offset, groups=self.NUM_BLOCKS)


def _split_parts(spectrum: Tensor) -> Tensor:
    """View B x 2C x H x F as B x C x (real, imaginary) x H x F."""
    channels, height, bins = spectrum.shape[1:]
    return spectrum.reshape(-1, channels // 2, 2, height, bins)


def complex_product(a: Tensor, b: Tensor) -> Tensor:
    """Multiply two spectra with interleaved real and imaginary channels, element by element."""
    a, b = _split_parts(a), _split_parts(b)
    a_real, a_imag = a[:, :, :1], a[:, :, 1:]
    b_real, b_imag = b[:, :, :1], b[:, :, 1:]
    real = a_real * b_real - a_imag * b_imag
    imag = a_real * b_imag + a_imag * b_real
    return torch.cat((real, imag), dim=2).flatten(1, 2)
