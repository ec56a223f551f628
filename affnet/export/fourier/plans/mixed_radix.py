"""The separable 2-D DFT with the height in two factors, as a mixed-radix FFT has it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from affnet.export.fourier.plans import matrices
from affnet.export.fourier.plans.base import Cost, DFTPlan, MapSize, over_width_macs
from affnet.model.mixer import Spectrum


def factors(length: int) -> tuple[int, int]:
    """Return r and m, r m = length, r the largest factor that is not above m."""
    r = next(r for r in range(math.isqrt(length), 0, -1) if length % r == 0)
    return r, length // r


class MixedRadixPlan(DFTPlan):
    """A product over the width, and two small ones over the height H = r m.

    With h = m n1 + n2 and k = k1 + r k2, where n1, k1 < r and n2, k2 < m (Cooley and Tukey 1965):

        exp(-2 pi i h k / H) = exp(-2 pi i n1 k1 / r) exp(-2 pi i n2 (k1 + r k2) / H)

    so that a first product sums over n1, with n2 as further columns, and a second over n2.  The
    twiddle factors are in the second one's constants, of which there is one matrix for each k1;
    that takes no pass over the data.  Axes in their memory order, F = W // 2 + 1:

    analyse:     x (c, 1, h, w) @ R[ri, w, f]          -> (c, ri, h, f)
                 the same memory, read as                 (c, (ri, n1), (n2, f))
                 A[(k1, ri'), (ri, n1)] @ ...          -> (c, (k1, ri'), (n2, f))
                 the same memory, read as                 (c, k1, (ri', n2), f)
                 T[k1, (ri, k2), (ri', n2)] @ ...      -> (c, k1, (ri, k2), f), parted at ri

    synthesise:  the mirror image, real and imaginary parts of the columns as two products, and
                 their products over the width added.

    The rows of the spectrum stand in the order (k1, k2).  The arithmetic over the height is
    4 (r + m) instead of 4 H for each complex number, in products whose inner sizes are as
    small, so that it suits large maps.  A prime height has r = 1, and gains nothing.
    """

    name = "mixed_radix"
    over_width: Tensor
    over_height: Tensor
    twiddled: Tensor
    back_twiddled: Tensor
    back_to_real: Tensor
    back_to_imag: Tensor
    real_to_map: Tensor
    imag_to_map: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        self.factors = r, m = factors(height)
        # indices as matrices.py has them, in the order in which the products want them
        over_height = matrices.complex_dft(r).transpose(1, 0, 3, 2)  # (k1, ri', ri, n1)
        twiddled = matrices.twiddled_dft(r, m).transpose(0, 1, 2, 4, 3)  # (k1, ri', k2, ri, n2)
        back_twiddled = matrices.twiddled_dft(r, m, inverse=True).transpose(0, 1, 2, 4, 3)
        back = matrices.complex_dft(r, inverse=True)  # (ri', n1, k1, ri)
        self._constant("over_width", matrices.real_to_half(width).transpose(1, 0, 2))  # (ri, w, f)
        self._constant("over_height", over_height.reshape(2 * r, 2 * r))
        self._constant("twiddled", twiddled.reshape(r, 2 * m, 2 * m))
        self._constant("back_twiddled", back_twiddled.reshape(r, 2 * m, 2 * m))
        self._constant("back_to_real", back[0].reshape(r, 2 * r))
        self._constant("back_to_imag", back[1].reshape(r, 2 * r))
        real_to_map, imag_to_map = matrices.half_to_real(width)
        self._constant("real_to_map", real_to_map)
        self._constant("imag_to_map", imag_to_map)

    def analyse(self, x: Tensor) -> Spectrum:
        """See `FourierTransform.analyse`; the parts are B x C x H x (W // 2 + 1)."""
        parts = self._over_height(x.unsqueeze(2) @ self.over_width, self.bins)
        shape = (-1, x.shape[1], self.height, self.bins)
        return Spectrum(*(part.reshape(shape) for part in parts))

    def synthesise(self, spectrum: Spectrum, width: int) -> Tensor:
        """See `FourierTransform.synthesise`."""
        shape = (-1, spectrum.real.shape[1], self.height, self.bins)
        real, imag = (part.reshape(shape) for part in self._back_over_height(*spectrum, self.bins))
        return real @ self.real_to_map + imag @ self.imag_to_map

    def _over_height(self, columns: Tensor, inner: int) -> tuple[Tensor, ...]:
        """Transform memory in the order (.., ri, h, inner); both parts are (.., k1, k2, inner)."""
        r, m = self.factors
        columns = self.over_height @ columns.reshape(-1, 2 * r, m * inner)
        columns = self.twiddled @ columns.reshape(-1, r, 2 * m, inner)
        return torch.split(columns, m, dim=2)

    def _back_over_height(self, real: Tensor, imag: Tensor, inner: int) -> tuple[Tensor, Tensor]:
        """Undo `_over_height`; both parts are (.., n1, n2 inner)."""
        r, m = self.factors
        rows = torch.cat([part.reshape(-1, r, m, inner) for part in (real, imag)], dim=2)
        columns = (self.back_twiddled @ rows).reshape(-1, 2 * r, m * inner)
        return self.back_to_real @ columns, self.back_to_imag @ columns

    @classmethod
    def cost(cls, size: MapSize) -> Cost:
        """See `DFTPlan.cost`."""
        r, m = factors(size.height)
        over_height = size.frequencies * 4 * (r + m)
        constants = 4 * size.width * size.bins + 8 * r * r + 8 * size.height * m
        # columns out, in, out, in, out, apart; joined, in, out, in twice, out, in, added
        moved = 5 * size.pixels + 29 * size.frequencies + constants
        return Cost(
            macs=2 * (over_width_macs(size) + over_height),
            products=cls._products(size, r),
            bytes=4 * moved,
            operators=11,
        )

    @staticmethod
    def _products(size: MapSize, r: int) -> int:
        return size.channels * (7 + 2 * r)
