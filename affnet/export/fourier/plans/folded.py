"""The separable 2-D DFT with the height folded: half of its products, for some additions."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from affnet.export.fourier.plans import matrices
from affnet.export.fourier.plans.base import Cost, DFTPlan, MapSize, over_width_macs
from affnet.model.mixer import Spectrum


class FoldedPlan(DFTPlan):
    """A product over the width, four half products over the height, and their sums.

    Columns x_r + i x_i have at the frequencies k and -k the same four products with the even
    cosines and the odd sines, so that each is computed once, for K = H // 2 + 1 rows:

        a = x_r cos, b = x_i sin, c = x_i cos, d = x_r sin
        X(+-k) = (a +- b) + i (c -+ d)

    The way back, y_r = Re and y_i = Im of sum_k Y(k) exp(2 pi i h k / H), is the mirror image:

        y_r = (Y_r(k) + Y_r(-k)) cos + (Y_i(-k) - Y_i(k)) sin
        y_i = (Y_i(k) + Y_i(-k)) cos + (Y_r(k) - Y_r(-k)) sin

    The spectrum is one half of rows, k = 0 .. H // 2, after the other, -k: row 0 and, for an even
    height, row H / 2 stand in both, and weigh 1 / 2 in the sums over k.  Axes as `SeparablePlan`
    has them.  It saves half of the arithmetic over the height and costs some ten passes over the
    spectrum, so that it suits large maps.
    """

    name = "folded"
    width_to_real: Tensor
    width_to_imag: Tensor
    cos: Tensor
    sin: Tensor
    back_over_height: Tensor
    back_over_width: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        self.rows = height // 2 + 1
        over_width = matrices.real_to_half(width).transpose(1, 2, 0)  # (ri, f, w)
        cos, sin = matrices.folded_dft(height)  # h, k
        back = np.concatenate(matrices.folded_dft(height, inverse=True))  # (cos, sin) k, h
        self._constant("width_to_real", over_width[0])
        self._constant("width_to_imag", over_width[1])
        self._constant("cos", cos)
        self._constant("sin", sin)
        self._constant("back_over_height", back)
        self._constant("back_over_width", matrices.half_to_real(width).reshape(-1, width))

    def analyse(self, x: Tensor) -> Spectrum:
        """See `FourierTransform.analyse`; the parts are B x C x (W // 2 + 1) x 2 (H // 2 + 1)."""
        maps = x.transpose(-1, -2)
        real, imag = self.width_to_real @ maps, self.width_to_imag @ maps
        a, b, c, d = real @ self.cos, imag @ self.sin, imag @ self.cos, real @ self.sin
        return Spectrum(torch.cat((a + b, a - b), dim=-1), torch.cat((c - d, c + d), dim=-1))

    def synthesise(self, spectrum: Spectrum, width: int) -> Tensor:
        """See `FourierTransform.synthesise`."""
        (real, real_of_minus), (imag, imag_of_minus) = (
            torch.split(part, self.rows, dim=-1) for part in spectrum
        )
        to_real = torch.cat((real + real_of_minus, imag_of_minus - imag), dim=-1)
        to_imag = torch.cat((imag + imag_of_minus, real - real_of_minus), dim=-1)
        columns = (to_real @ self.back_over_height, to_imag @ self.back_over_height)
        return torch.cat(columns, dim=-2).transpose(-1, -2) @ self.back_over_width

    @classmethod
    def frequencies(cls, size: MapSize) -> int:
        """See `DFTPlan.frequencies`."""
        return size.channels * 2 * (size.height // 2 + 1) * size.bins

    @classmethod
    def cost(cls, size: MapSize) -> Cost:
        """See `DFTPlan.cost`."""
        over_height = 2 * size.height * cls.frequencies(size)
        constants = 4 * size.width * size.bins + 4 * size.height * (size.height // 2 + 1)
        # columns out, in twice, products out, in, sums out, joined; apart, sums, joined, in, out,
        # joined, in
        moved = 2 * size.pixels + 42 * size.frequencies + constants
        return Cost(
            macs=2 * (over_width_macs(size) + over_height),
            products=cls._products(size),
            bytes=4 * moved,
            operators=24,
        )

    @staticmethod
    def _products(size: MapSize) -> int:
        return 6 + 3 * size.channels
