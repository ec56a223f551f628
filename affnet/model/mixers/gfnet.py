"""GFNet's global filter."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from affnet.model.mixer import (
    BufferList,
    FourierTransform,
    FrequencyMixer,
    Spectrum,
    complex_product,
)
from affnet.model.mixers.tokens import learned


class GlobalFilter(FrequencyMixer):
    """Multiply the spectrum by a learned one, the same for every image.

    ``y = irfft2(K * rfft2(x))`` with a complex K of C x H x (W // 2 + 1), made for one map size.
    Maps of another size are filtered by K resampled bilinearly, as the published code does to take
    a network to another resolution; H and W of K are then interpolated as if they were images.
    """

    source = "GFNet, arXiv 2107.00645, section 3.2, equation 4"
    complexity = "N log N C"
    adapts = False

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.size = height, width
        self.complex_weight = learned(height, width // 2 + 1, channels, 2)

    @classmethod
    def create(cls, channels: int, size: tuple[int, int], activation: str) -> GlobalFilter:
        """See `TokenMixer.create`; the filter has the maps' size."""
        return cls(channels, *size)

    def kernel(self, height: int, width: int) -> Spectrum:
        """Return the filter of maps of a size, as parts of C x H x (W // 2 + 1)."""
        parts = self.complex_weight.permute(3, 2, 0, 1)  # 2 x C x H x F
        if (height, width) != self.size:
            parts = F.interpolate(
                parts, (height, width // 2 + 1), mode="bilinear", align_corners=True
            )
        return Spectrum(*parts)

    def freeze(self) -> None:
        """See `FrequencyMixer.freeze`: arrange the filter as a transform of one size delivers."""
        if self.transform.size is None:  # it delivers any size, in the filter's order
            return
        height, width = self.transform.size
        rows, columns = frequencies(self.transform, height, width)
        with torch.no_grad():
            self.frozen = BufferList(p[:, rows, columns] for p in self.kernel(height, width))

    def _filter(self, x: Tensor) -> Tensor:
        spectrum = self.transform.analyse(x)
        frozen = self.frozen
        kernel = Spectrum(*frozen.buffers()) if frozen else self.kernel(*x.shape[-2:])
        return self.transform.synthesise(complex_product(kernel, spectrum), x.shape[-1])


def frequencies(transform: FourierTransform, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return the row and the column of the frequency that stands at each place of a half spectrum.

    A transform may deliver frequencies in any order.  Two impulses show which: with pixel (m, n)
    alone set, the orthonormal spectrum is exp(-2 pi i (k m / H + l n / W)) / sqrt(H W), so that the
    phase of one next to the origin, in either direction, is the frequency in that direction.
    """
    impulses = torch.zeros(1, 2, height, width)
    impulses[0, 0, 1 % height, 0] = impulses[0, 1, 0, 1 % width] = 1
    spectrum = transform.analyse(impulses)
    turns = -torch.atan2(spectrum.imag[0], spectrum.real[0]) / (2 * math.pi)
    rows = (turns[0] * height).round().long() % height
    columns = (turns[1] * width).round().long() % width
    return rows, columns
