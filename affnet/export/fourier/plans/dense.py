"""The 2-D DFT as one matrix product."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from affnet.export.fourier.plans import matrices
from affnet.export.fourier.plans.base import Cost, DFTPlan


class DensePlan(DFTPlan):
    """One product each way, the Kronecker product of both axes' transforms.

    analyse:     (c, (h, w)) @ D[(h, w), (ri, k, f)]  -> (c, (ri, k, f)), the mixer's spectrum
    synthesise:  (c, (ri, k, f)) @ E[(ri, k, f), (h, w)]

    Its work grows with the square of the pixels, but it is one product for all channels: on small
    maps that beats the many small products of `SeparablePlan`.
    """

    name = "dense"
    to_spectrum: Tensor
    to_map: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        pixels = height * width
        # q: the part, real or imaginary, between both transforms
        forward = np.einsum(
            "wqf,rkhq->hwrkf", matrices.real_to_half(width), matrices.complex_dft(height)
        )
        backward = np.einsum(
            "qhkr,qfw->rkfhw",
            matrices.complex_dft(height, inverse=True),
            matrices.half_to_real(width),
        )
        self._constant("to_spectrum", forward.reshape(pixels, -1))
        self._constant("to_map", backward.reshape(-1, pixels))

    def analyse(self, x: Tensor) -> Tensor:
        """See `FourierTransform.analyse`."""
        channels = x.shape[1]
        spectrum = x.reshape(-1, channels, self.height * self.width) @ self.to_spectrum
        return spectrum.reshape(-1, 2 * channels, self.height, self.bins)

    def synthesise(self, spectrum: Tensor, width: int) -> Tensor:
        """See `FourierTransform.synthesise`."""
        channels = spectrum.shape[1] // 2
        x = spectrum.reshape(-1, channels, 2 * self.height * self.bins) @ self.to_map
        return x.reshape(-1, channels, self.height, width)

    @classmethod
    def cost(cls, channels: int, height: int, width: int) -> Cost:
        """See `DFTPlan.cost`."""
        bins = width // 2 + 1
        return Cost(macs=2 * channels * height * width * 2 * height * bins, products=2)
