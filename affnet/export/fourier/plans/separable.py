"""The 2-D DFT as one matrix product over the width and one over the height, without relayout."""

from __future__ import annotations

from torch import Tensor

from affnet.export.fourier.plans import matrices
from affnet.export.fourier.plans.base import Cost, DFTPlan


class SeparablePlan(DFTPlan):
    """Two products each way.

    With bins f of F = W // 2 + 1 and axes named in their memory order:

    analyse:     (c, h, w) @ R[w, (ri, f)]           -> (c, h, (ri, f))
                 the same memory, read as               (c, (h, ri), f)
                 T[(ri', k), (h, ri)] @ ...          -> (c, (ri', k), f)
                 the same memory, read as               ((c, ri'), k, f), the mixer's spectrum

    synthesise:  the mirror image, with T*[(h, ri), (ri', k)] and S[(ri, f), w].

    The order of a constant's rows and columns is free, which is why no transpose, slice or
    concatenation is left between the products.
    """

    name = "separable"
    over_width: Tensor
    over_height: Tensor
    back_over_height: Tensor
    back_over_width: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        forward = matrices.complex_dft(height)  # (ri', k, h, ri)
        backward = matrices.complex_dft(height, inverse=True).transpose(
            1, 0, 3, 2
        )  # (h, ri, ri', k)
        self._constant("over_width", matrices.real_to_half(width).reshape(width, -1))
        self._constant("over_height", forward.reshape(2 * height, -1))
        self._constant("back_over_height", backward.reshape(2 * height, -1))
        self._constant("back_over_width", matrices.half_to_real(width).reshape(-1, width))

    def analyse(self, x: Tensor) -> Tensor:
        """See `FourierTransform.analyse`."""
        channels = x.shape[1]
        rows = (x @ self.over_width).reshape(-1, channels, 2 * self.height, self.bins)
        spectrum = self.over_height @ rows
        return spectrum.reshape(-1, 2 * channels, self.height, self.bins)

    def synthesise(self, spectrum: Tensor, width: int) -> Tensor:
        """See `FourierTransform.synthesise`."""
        channels = spectrum.shape[1] // 2
        columns = spectrum.reshape(-1, channels, 2 * self.height, self.bins)
        rows = (self.back_over_height @ columns).reshape(-1, channels, self.height, 2 * self.bins)
        return rows @ self.back_over_width

    @classmethod
    def cost(cls, channels: int, height: int, width: int) -> Cost:
        """See `DFTPlan.cost`."""
        bins = width // 2 + 1
        over_width = channels * height * width * 2 * bins
        over_height = channels * (2 * height) ** 2 * bins
        return Cost(macs=2 * (over_width + over_height), products=2 * (1 + channels))
