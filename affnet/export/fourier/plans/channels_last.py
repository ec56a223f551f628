"""The separable 2-D DFT on maps whose channels stand last, as mobile runtimes keep them."""

from __future__ import annotations

import torch
from torch import Tensor

from affnet.export.fourier.plans import matrices
from affnet.export.fourier.plans.base import Cost, DFTPlan, MapSize, packing_cost, separable_cost
from affnet.model.mixer import Spectrum


class ChannelsLastPlan(DFTPlan):
    """Two products each way, every one of them a constant times a map, with all channels at once.

    With bins f of F = W // 2 + 1 and axes named in their memory order:

    analyse:     R[(ri, f), w] @ (h, w, c)                -> (h, (ri, f), c)
                 the same memory, read as                    ((h, ri), (f, c))
                 T[(ri', k), (h, ri)] @ ...               -> ((ri', k), (f, c))
                 the same memory, read as                    real (k, f, c), imaginary (k, f, c)

    synthesise:  the mirror image.

    Between channels-last convolutions nothing is transposed: the columns of every product are
    channels, which fill vector units at any map size, and the order of the constants' rows and
    columns does the rest.  The permutations below say how PyTorch names the axes; converters to
    channels-last formats find that each meets its inverse.
    """

    name = "channels_last"
    over_width: Tensor
    over_height: Tensor
    back_over_height: Tensor
    back_over_width: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        over_width = matrices.real_to_half(width).transpose(1, 2, 0)  # (ri, f, w)
        over_height = matrices.complex_dft(height)  # (ri', k, h, ri)
        back = matrices.complex_dft(height, inverse=True).transpose(1, 0, 3, 2)  # (h, ri', ri, k)
        back_over_width = matrices.half_to_real(width).transpose(2, 0, 1)  # (w, ri, f)
        self._constant("over_width", over_width.reshape(-1, width))
        self._constant("over_height", over_height.reshape(2 * height, -1))
        self._constant("back_over_height", back.reshape(2 * height, -1))
        self._constant("back_over_width", back_over_width.reshape(width, -1))

    def analyse(self, x: Tensor) -> Spectrum:
        """See `FourierTransform.analyse`; the parts are B x C x H x (W // 2 + 1)."""
        channels = x.shape[1]
        rows = self.over_width @ x.permute(0, 2, 3, 1)
        rows = rows.reshape(-1, 2 * self.height, self.bins * channels)
        parts = (self.over_height @ rows).reshape(-1, 2 * self.height, self.bins, channels)
        real, imag = parts[:, : self.height], parts[:, self.height :]
        return Spectrum(real.permute(0, 3, 1, 2), imag.permute(0, 3, 1, 2))

    def synthesise(self, spectrum: Spectrum, width: int) -> Tensor:
        """See `FourierTransform.synthesise`."""
        channels = spectrum.real.shape[1]
        parts = torch.cat([part.permute(0, 2, 3, 1) for part in spectrum], dim=1)
        rows = self.back_over_height @ parts.reshape(-1, 2 * self.height, self.bins * channels)
        rows = rows.reshape(-1, self.height, 2 * self.bins, channels)
        return (self.back_over_width @ rows).permute(0, 3, 1, 2)

    @classmethod
    def cost(cls, size: MapSize) -> Cost:
        """See `DFTPlan.cost`."""
        # columns out, in, parts out; sliced, joined, in, out, in
        products = separable_cost(size, passes=20, products=2 + 2 * size.height, operators=8)
        return products + packing_cost(size, maps=1, parts=6)
