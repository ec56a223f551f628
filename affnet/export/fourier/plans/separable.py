"""The 2-D DFT as one matrix product over the width and one over the height, without relayout."""

from __future__ import annotations

import torch
from torch import Tensor

from affnet.export.fourier.plans import matrices
from affnet.export.fourier.plans.base import Cost, DFTPlan, MapSize, separable_cost
from affnet.model.mixer import Spectrum


class SeparablePlan(DFTPlan):
    """Two products each way.

    With bins f of F = W // 2 + 1 and axes named in their memory order:

    analyse:     R[(f, ri), w] @ x^T (c, w, h)         -> (c, (f, ri), h)
                 the same memory, read as                 (c, f, (ri, h))
                 ... @ T[(ri, h), k], once for each part -> (c, f, k), real and imaginary

    synthesise:  (c, f, (ri, k)) @ T*[(ri, k), (ri, h)] -> (c, f, (ri, h))
                 the same memory, read as                 (c, (f, ri), h)
                 (...)^T (c, h, (f, ri)) @ S[(f, ri), w] -> (c, h, w)

    The order of a constant's rows and columns is free: it does the work of every relayout but the
    two transposes of the last axes, which runtimes fuse into their matrix product.  The spectrum
    stands with its columns first, so that the larger product, over the height, is one product
    with a constant on the right for all channels and columns: its inner sizes, 2 H and H, suit
    vector units as W // 2 + 1 never does.
    """

    name = "separable"
    over_width: Tensor
    to_real: Tensor
    to_imag: Tensor
    back_over_height: Tensor
    back_over_width: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__(height, width)
        over_width = matrices.real_to_half(width).transpose(2, 1, 0)  # (f, ri, w)
        over_height = matrices.complex_dft(height).transpose(0, 3, 2, 1)  # (ri', ri, h, k)
        back = matrices.complex_dft(height, inverse=True).transpose(3, 2, 0, 1)  # (ri', k, ri, h)
        back_over_width = matrices.half_to_real(width).transpose(1, 0, 2)  # (f, ri, w)
        self._constant("over_width", over_width.reshape(-1, width))
        self._constant("to_real", over_height[0].reshape(-1, height))
        self._constant("to_imag", over_height[1].reshape(-1, height))
        self._constant("back_over_height", back.reshape(2 * height, -1))
        self._constant("back_over_width", back_over_width.reshape(-1, width))

    def analyse(self, x: Tensor) -> Spectrum:
        """See `FourierTransform.analyse`; the parts are B x C x (W // 2 + 1) x H."""
        columns = self.over_width @ x.transpose(-1, -2)
        columns = columns.reshape(-1, x.shape[1], self.bins, 2 * self.height)
        return Spectrum(columns @ self.to_real, columns @ self.to_imag)

    def synthesise(self, spectrum: Spectrum, width: int) -> Tensor:
        """See `FourierTransform.synthesise`."""
        columns = torch.cat(spectrum, dim=-1) @ self.back_over_height
        columns = columns.reshape(-1, columns.shape[1], 2 * self.bins, self.height)
        return columns.transpose(-1, -2) @ self.back_over_width

    @classmethod
    def cost(cls, size: MapSize) -> Cost:
        """See `DFTPlan.cost`."""
        # columns out, in twice, parts out; joined, in, out, in
        return separable_cost(size, passes=18, products=3 + 2 * size.channels, operators=6)
