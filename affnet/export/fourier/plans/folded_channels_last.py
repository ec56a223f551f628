"""The folded DFT on maps whose channels stand last, as mobile runtimes keep them."""

from __future__ import annotations

import torch
from torch import Tensor

from affnet.export.fourier.plans.base import Cost, MapSize, packing_cost
from affnet.export.fourier.plans.folded import FoldedPlan
from affnet.model.mixer import Spectrum


class FoldedChannelsLastPlan(FoldedPlan):
    """`FoldedPlan` with the axes of `ChannelsLastPlan`: every product is a constant times a map.

    The rows k and -k stand one half after the other on the first axis, so that joining and parting
    them moves whole blocks of memory.
    """

    name = "folded_channels_last"

    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        for name in ("cos", "sin", "back_over_height", "back_over_width"):  # from the left here
            setattr(self, name, getattr(self, name).T.contiguous())

    def analyse(self, x: Tensor) -> Spectrum:
        """See `FourierTransform.analyse`; the parts are B x C x 2 (H // 2 + 1) x (W // 2 + 1)."""
        channels = x.shape[1]
        maps, columns = x.permute(0, 2, 3, 1), (-1, self.height, self.bins * channels)
        real = (self.width_to_real @ maps).reshape(columns)
        imag = (self.width_to_imag @ maps).reshape(columns)
        a, b, c, d = self.cos @ real, self.sin @ imag, self.cos @ imag, self.sin @ real
        halves = (torch.cat((a + b, a - b), dim=1), torch.cat((c - d, c + d), dim=1))
        rows = (-1, 2 * self.rows, self.bins, channels)
        return Spectrum(*(half.reshape(rows).permute(0, 3, 1, 2) for half in halves))

    def synthesise(self, spectrum: Spectrum, width: int) -> Tensor:
        """See `FourierTransform.synthesise`."""
        channels = spectrum.real.shape[1]
        flat = (-1, 2 * self.rows, self.bins * channels)
        (real, real_of_minus), (imag, imag_of_minus) = (
            torch.split(part.permute(0, 2, 3, 1).reshape(flat), self.rows, dim=1)
            for part in spectrum
        )
        to_real = torch.cat((real + real_of_minus, imag_of_minus - imag), dim=1)
        to_imag = torch.cat((imag + imag_of_minus, real - real_of_minus), dim=1)
        columns = [
            (self.back_over_height @ half).reshape(-1, self.height, self.bins, channels)
            for half in (to_real, to_imag)
        ]
        return (self.back_over_width @ torch.cat(columns, dim=2)).permute(0, 3, 1, 2)

    @classmethod
    def cost(cls, size: MapSize) -> Cost:
        """See `DFTPlan.cost`."""
        return super().cost(size) + packing_cost(size, maps=2, parts=8)

    @staticmethod
    def _products(size: MapSize) -> int:
        return 3 * size.height + 6  # channels stand within each
