"""The separable 2-D DFT with constants on the right only, for runtimes without fused transposes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from affnet.export.fourier.plans import matrices
from affnet.export.fourier.plans.base import Cost, DFTPlan, MapSize, separable_cost
from affnet.model.mixer import Spectrum


class RightProductsPlan(DFTPlan):
    """Two products each way, every one of them a map times a constant.

    With bins f of F = W // 2 + 1 and axes named in their memory order:

    analyse:     (c, h, w) @ R[w, (f, ri)]               -> (c, h, (f, ri))
                 transposed                                 (c, (f, ri), h)
                 the same memory, read as                   (c, f, (ri, h))
                 ... @ T[(ri, h), k], once for each part -> (c, f, k), real and imaginary

    synthesise:  the mirror image.

    `SeparablePlan` saves the transposes by multiplying constants from the left.  LiteRT and XNNPACK
    have no such product of a constant with a batch of maps (LiteRT's converter fails on it,
    XNNPACK does not take it), while a map times a constant is their fully connected layer; it is
    written as `torch.nn.functional.linear`, which stores its constants transposed.
    """

    name = "right"
    over_width: Tensor
    to_real: Tensor
    to_imag: Tensor
    back_over_height: Tensor
    back_over_width: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        over_width = matrices.real_to_half(width).transpose(0, 2, 1)  # (w, f, ri)
        over_height = matrices.complex_dft(height).transpose(0, 3, 2, 1)  # (ri', ri, h, k)
        back = matrices.complex_dft(height, inverse=True).transpose(3, 2, 0, 1)  # (ri', k, ri, h)
        back_over_width = matrices.half_to_real(width).transpose(1, 0, 2)  # (f, ri, w)
        self._constant("over_width", over_width.reshape(width, -1).T)
        self._constant("to_real", over_height[0].reshape(-1, height).T)
        self._constant("to_imag", over_height[1].reshape(-1, height).T)
        self._constant("back_over_height", back.reshape(2 * height, -1).T)
        self._constant("back_over_width", back_over_width.reshape(-1, width).T)

    def analyse(self, x: Tensor) -> Spectrum:
        """See `FourierTransform.analyse`; the parts are B x C x (W // 2 + 1) x H."""
        columns = F.linear(x, self.over_width).transpose(-1, -2)
        columns = columns.reshape(-1, x.shape[1], self.bins, 2 * self.height)
        return Spectrum(F.linear(columns, self.to_real), F.linear(columns, self.to_imag))

    def synthesise(self, spectrum: Spectrum, width: int) -> Tensor:
        """See `FourierTransform.synthesise`."""
        columns = F.linear(torch.cat(spectrum, dim=-1), self.back_over_height)
        columns = columns.reshape(-1, columns.shape[1], 2 * self.bins, self.height)
        return F.linear(columns.transpose(-1, -2), self.back_over_width)

    @classmethod
    def cost(cls, size: MapSize) -> Cost:
        """See `DFTPlan.cost`."""
        # as the separable plan, and a transpose of the columns each way
        return separable_cost(size, passes=26, products=5, operators=8)
