"""The mixed-radix DFT on maps whose channels stand last, as mobile runtimes keep them."""

from __future__ import annotations

import torch
from torch import Tensor

from affnet.export.fourier.plans.base import Cost, MapSize, packing_cost
from affnet.export.fourier.plans.mixed_radix import MixedRadixPlan
from affnet.model.mixer import Spectrum


class MixedRadixChannelsLastPlan(MixedRadixPlan):
    """`MixedRadixPlan` with the axes of `ChannelsLastPlan`: columns and channels stand innermost.

    The real and imaginary parts of the columns are joined by rows, which moves whole blocks.
    """

    name = "mixed_radix_channels_last"
    to_map: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        self.over_width = self.over_width.transpose(1, 2).contiguous()  # from the left here
        to_map = torch.cat((self.real_to_map, self.imag_to_map)).T.contiguous()
        self.register_buffer("to_map", to_map, persistent=False)
        del self.real_to_map, self.imag_to_map

    def analyse(self, x: Tensor) -> Spectrum:
        """See `FourierTransform.analyse`; the parts are B x C x H x (W // 2 + 1)."""
        channels = x.shape[1]
        maps, to_real, to_imag = x.permute(0, 2, 3, 1), *self.over_width.unbind()
        inner = self.bins * channels
        columns = [(part @ maps).reshape(-1, self.height, inner) for part in (to_real, to_imag)]
        parts = self._over_height(torch.cat(columns, dim=1), inner)
        shape = (-1, self.height, self.bins, channels)
        return Spectrum(*(part.reshape(shape).permute(0, 3, 1, 2) for part in parts))

    def synthesise(self, spectrum: Spectrum, width: int) -> Tensor:
        """See `FourierTransform.synthesise`."""
        channels = spectrum.real.shape[1]
        real, imag = (part.permute(0, 2, 3, 1) for part in spectrum)
        columns = [
            part.reshape(-1, self.height, self.bins, channels)
            for part in self._back_over_height(real, imag, self.bins * channels)
        ]
        return (self.to_map @ torch.cat(columns, dim=2)).permute(0, 3, 1, 2)

    @classmethod
    def cost(cls, size: MapSize) -> Cost:
        """See `DFTPlan.cost`."""
        return super().cost(size) + packing_cost(size, maps=2, parts=12)

    @staticmethod
    def _products(size: MapSize, r: int) -> int:
        return 3 * size.height + 3 + 2 * r  # channels stand within each
