"""The separable 2-D DFT with constants on the right only, for runtimes without fused transposes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from affnet.export.fourier.plans.base import Cost, MapSize, separable_cost
from affnet.export.fourier.plans.separable import SeparablePlan
from affnet.model.mixer import Spectrum


class RightProductsPlan(SeparablePlan):
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

    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        for name in ("to_real", "to_imag", "back_over_height", "back_over_width"):
            setattr(self, name, getattr(self, name).T.contiguous())

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
