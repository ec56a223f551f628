"""The 2-D DFT as one matrix product."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from affnet.export.fourier.plans import matrices
from affnet.export.fourier.plans.base import Cost, DFTPlan, MapSize
from affnet.model.mixer import Spectrum


class DensePlan(DFTPlan):
    """One product each way, with the Kronecker product of both axes' transforms.

    analyse:     (c, (h, w)) @ D[(h, w), (k, f)], once for each part -> (c, (k, f))
    synthesise:  (c, (ri, k, f)) @ E[(ri, k, f), (h, w)]            -> (c, (h, w))

    Its work grows with the square of the pixels, but it is one product for all channels: on small
    maps that beats the many small products of `SeparablePlan`.
    """

    name = "dense"
    to_real: Tensor
    to_imag: Tensor
    to_map: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        pixels = height * width
        # q: the part, real or imaginary, between both transforms
        forward = np.einsum(
            "wqf,rkhq->rhwkf", matrices.real_to_half(width), matrices.complex_dft(height)
        )
        backward = np.einsum(
            "qhkr,qfw->rkfhw",
            matrices.complex_dft(height, inverse=True),
            matrices.half_to_real(width),
        )
        self._constant("to_real", forward[0].reshape(pixels, -1))
        self._constant("to_imag", forward[1].reshape(pixels, -1))
        self._constant("to_map", backward.reshape(-1, pixels))

    def analyse(self, x: Tensor) -> Spectrum:
        """See `FourierTransform.analyse`; the parts are B x C x 1 x (H (W // 2 + 1))."""
        pixels = x.reshape(-1, x.shape[1], 1, self.height * self.width)
        return Spectrum(pixels @ self.to_real, pixels @ self.to_imag)

    def synthesise(self, spectrum: Spectrum, width: int) -> Tensor:
        """See `FourierTransform.synthesise`."""
        pixels = torch.cat(spectrum, dim=-1) @ self.to_map
        return pixels.reshape(-1, pixels.shape[1], self.height, width)

    @classmethod
    def cost(cls, size: MapSize) -> Cost:
        """See `DFTPlan.cost`."""
        constants = 4 * (size.height * size.width) * (size.height * size.bins)
        # the maps in twice, parts out; joined, in
        moved = 3 * size.pixels + 8 * size.frequencies + constants
        macs = 4 * size.pixels * size.height * size.bins
        return Cost(macs=macs, products=3, bytes=4 * moved, operators=4)
