"""The AFF token mixer, written once on real and imaginary parts.

The mixer never sees a complex tensor.  Its spectrum is a pair of real tensors of the same shape,
B x C x two axes that hold the frequencies; all it does, mixing channels and multiplying element by
element, is blind to their order, so that a transform may deliver them in the one that is cheapest.
 How the spectrum is reached is the business of a `FourierTransform`: `TorchFFT` here,
matrix products in `affnet.export.fourier.plans`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affnet.model.layers import make_activation
from affnet.model.mixers.base import TokenMixer


class Spectrum(NamedTuple):
    """Real and imaginary parts, each B x C x two axes with H (W // 2 + 1) frequencies in all."""

    real: Tensor
    imag: Tensor


class FourierTransform(nn.Module, ABC):
    """The orthonormal 2-D DFT of real maps, and its inverse."""

    size: tuple[int, int] | None = None  # the only maps it takes, height and width; None: any

    @abstractmethod
    def analyse(self, x: Tensor) -> Spectrum:
        """Return the half spectrum of B x C x H x W maps, as `torch.fft.rfft2` does."""

    @abstractmethod
    def synthesise(self, spectrum: Spectrum, width: int) -> Tensor:
        """Return the B x C x H x ``width`` maps of a half spectrum, as `torch.fft.irfft2` does.

        The spectrum need not be that of real maps: the imaginary parts of the columns 0 and W / 2
        are dropped after the transform over H, the other columns count twice.
        """


class TorchFFT(FourierTransform):
    """The transform by `torch.fft`; differentiable, for any size, what training uses.

    ``rfftn`` and ``irfftn`` over two axes are `rfft2` and `irfft2`, under the only name that
    coremltools knows.
    """

    def analyse(self, x: Tensor) -> Spectrum:
        """See `FourierTransform.analyse`."""
        spectrum = torch.fft.rfftn(x, dim=(-2, -1), norm="ortho")
        return Spectrum(spectrum.real, spectrum.imag)

    def synthesise(self, spectrum: Spectrum, width: int) -> Tensor:
        """See `FourierTransform.synthesise`."""
        height = spectrum.real.shape[-2]
        parts = torch.complex(spectrum.real, spectrum.imag)
        x: Tensor = torch.fft.irfftn(parts, s=(height, width), dim=(-2, -1), norm="ortho")
        return x


class BufferList(nn.Module):
    """Constants that are no part of a state dict."""

    def __init__(self, values: Iterable[Tensor]) -> None:
        super().__init__()
        for index, value in enumerate(values):
            # a copy, because some converters store a view by the start of its storage
            value = value.clone(memory_format=torch.contiguous_format)
            self.register_buffer(str(index), value, persistent=False)


class FrequencyMixer(TokenMixer, ABC):
    """Mixes tokens by what it does to the spectrum of its maps.

    Replace ``transform`` to compute the same function without an FFT.
    """

    is_global = True

    def __init__(self) -> None:
        super().__init__()
        self.transform: FourierTransform = TorchFFT()
        self.frozen: BufferList | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape, in float32 whatever the input's type."""
        if torch.is_autocast_enabled(x.device.type):
            with torch.autocast(x.device.type, enabled=False):
                return self._filter(x.float()).to(x.dtype)
        return self._filter(x.float()).to(x.dtype)

    @abstractmethod
    def _filter(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape, both float32."""

    @abstractmethod
    def freeze(self) -> None:
        """Compute once and for all what depends on weights only: an export holds it as constants.

        ``transform`` must not change afterwards.
        """


class FrequencyMLP(FrequencyMixer):
    """A mixer with a two-layer complex channel MLP, in blocks, the same at every frequency.

    The MLP of AFNO (arXiv 2111.13587, section 4), which AFF has taken over.
    """

    adapts = True
    adds_input = True
    NUM_BLOCKS = 8
    THRESHOLD = 0.01

    def __init__(self, channels: int, activation: str) -> None:
        super().__init__()
        size = channels // self.NUM_BLOCKS
        scale = 0.02  # as the published code initialises them
        self.w1: nn.Parameter = nn.Parameter(scale * torch.randn(2, self.NUM_BLOCKS, size, size))
        self.b1: nn.Parameter = nn.Parameter(scale * torch.randn(2, self.NUM_BLOCKS, size))
        self.w2: nn.Parameter = nn.Parameter(scale * torch.randn(2, self.NUM_BLOCKS, size, size))
        self.b2: nn.Parameter = nn.Parameter(scale * torch.randn(2, self.NUM_BLOCKS, size))
        self.act: nn.Module = make_activation(activation)

    def shrunk(self, spectrum: Spectrum) -> Spectrum:
        """Apply the MLP to the spectrum, and soft shrinkage to what it gives."""
        mixed = self.mix_channels(spectrum)
        return Spectrum(self.shrink(mixed.real), self.shrink(mixed.imag))

    def mix_channels(self, spectrum: Spectrum) -> Spectrum:
        """Apply the complex channel MLP to the spectrum."""
        constants = self.constants() if self.frozen is None else tuple(self.frozen.buffers())
        from_real, from_imag, to_real, to_imag, hidden_bias, real_bias, imag_bias = constants
        hidden = self._mix(spectrum.real, from_real, hidden_bias)
        hidden = self.act(hidden + self._mix(spectrum.imag, from_imag))
        return Spectrum(
            self._mix(hidden, to_real, real_bias),
            self._mix(hidden, to_imag, imag_bias),
        )

    def constants(self) -> tuple[Tensor, ...]:
        """Return the `kernels`, then the biases of the hidden layer and of both output parts."""
        biases = (self.b1.transpose(0, 1), self.b2[0], self.b2[1])
        return (*self.kernels(), *(bias.flatten() for bias in biases))

    def kernels(self) -> tuple[Tensor, ...]:
        """Return the complex weights as the kernels of four grouped 1x1 convolutions.

        Complex weights act on real parts as the matrix [[w_r, -w_i], [w_i, w_r]].  The hidden layer
        keeps both parts of a block side by side, as 2 s channels: (real, imaginary) x s.
        """
        w1, w2 = self.w1.transpose(-1, -2), self.w2.transpose(-1, -2)  # 2 x K x out x in
        blocks = (
            torch.cat((w1[0], w1[1]), dim=1),  # real part to K x (real, imaginary out) x in
            torch.cat((-w1[1], w1[0]), dim=1),  # imaginary part to the same
            torch.cat((w2[0], -w2[1]), dim=2),  # K x out x (real, imaginary in) to the real part
            torch.cat((w2[1], w2[0]), dim=2),  # the same to the imaginary part
        )
        return tuple(block.flatten(0, 1)[..., None, None] for block in blocks)

    def freeze(self) -> None:
        """Compute kernels and biases once and for all: an export holds them as constants."""
        with torch.no_grad():
            self.frozen: BufferList = BufferList(self.constants())

    def _mix(self, x: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
        """Mix the channels of each block."""
        return F.conv2d(x, kernel, bias, groups=self.NUM_BLOCKS)

    def shrink(self, x: Tensor) -> Tensor:
        """Soft shrinkage, without comparisons: they are what mobile runtimes do worst."""
        return x - x.clamp(-self.THRESHOLD, self.THRESHOLD)


class AdaptiveFrequencyFilter(FrequencyMLP):
    """Multiply the spectrum by a mask that a complex channel MLP predicts from the spectrum itself.

    Source: "Adaptive Frequency Filters As Efficient Global Token Mixers", ICCV 2023,
    arXiv 2307.14008, section 3.2.
    """

    source = "AFFNet, arXiv 2307.14008, section 3.2"
    complexity = "N log N C + N C^2 / 8"

    @classmethod
    def create(
        cls, channels: int, size: tuple[int, int], activation: str
    ) -> AdaptiveFrequencyFilter:
        """See `TokenMixer.create`."""
        return cls(channels, activation)

    def _filter(self, x: Tensor) -> Tensor:
        spectrum = self.transform.analyse(x)
        filtered = complex_product(self.shrunk(spectrum), spectrum)
        return self.transform.synthesise(filtered, x.shape[-1]) + x


def complex_product(a: Spectrum, b: Spectrum) -> Spectrum:
    """Multiply element by element."""
    return Spectrum(a.real * b.real - a.imag * b.imag, a.real * b.imag + a.imag * b.real)
