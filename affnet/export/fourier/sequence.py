"""FNet's transform without an FFT: the DFT of a map's pixels as a sequence, in two short steps.

The DFT over N = H W pixels n = W h + w, with k = k1 + H k2 for k1 < H and k2 < W, falls into DFTs
over the rows h and over the columns w, with a rotation between them (Cooley and Tukey, 1965)::

    X[k1 + H k2] = sum over w of  exp(-2 pi i w k2 / W)  exp(-2 pi i w k1 / N)
                   sum over h of  exp(-2 pi i h k1 / H)  x[h, w]

H + W products a pixel take the place of N.  The channels come first: x real, their DFT is a matrix
product for each part.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from affnet.model.mixers.fnet import FourierMixing

FACTORED = "factored"  # the name of this form where files tell their plans


class FactoredFourierMixing(nn.Module):
    """`FourierMixing` of maps of one size, exact up to rounding."""

    over_channels: Tensor
    over_rows: Tensor
    rotation: Tensor
    over_columns: Tensor

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width
        real, imag = _dft(channels)
        self._constant("over_channels", np.concatenate((real, imag))[..., None, None])
        real, imag = _dft(height)
        # (ri', k1) x (ri, h), of the columns of a map
        self._constant("over_rows", np.block([[real, -imag], [imag, real]]))
        turns = np.outer(np.arange(height), np.arange(width)) / (height * width)
        self._constant("rotation", np.stack((np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns))))
        real, imag = _dft(width)
        self._constant("over_columns", np.concatenate((real, -imag), axis=1))  # k2 x (ri, w)

    def _constant(self, name: str, values: NDArray[np.float64]) -> None:
        self.register_buffer(name, torch.from_numpy(values).float().contiguous(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W to the same shape."""
        real, imag = F.conv2d(x, self.over_channels).chunk(2, dim=1)
        # B x C x (ri, h) x w, and the same with k1 in the place of h
        both = torch.cat((real, imag), dim=2).transpose(-1, -2)
        real, imag = F.linear(both, self.over_rows).chunk(2, dim=-1)  # w x k1
        cos, sin = self.rotation[0].T, self.rotation[1].T
        rotated = torch.cat((real * cos + imag * sin, imag * cos - real * sin), dim=2)
        rotated = rotated.transpose(-1, -2)  # k1 x (ri, w)
        y = F.linear(rotated, self.over_columns)  # k1 x k2, and the pixel is k1 + H k2
        return y.transpose(-1, -2).reshape(x.shape)


def replace_sequence_transforms(model: nn.Module, example: Tensor) -> list[tuple[int, int]]:
    """Write each `FourierMixing` below ``model``, in place, for the maps that ``example`` gives it.

    Returns the sizes of those maps.
    """
    places = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if isinstance(child, FourierMixing)
    ]
    if not places:
        return []
    shapes: dict[nn.Module, torch.Size] = {}
    hooks = [
        child.register_forward_pre_hook(lambda module, x: shapes.update({module: x[0].shape}))
        for _, _, child in places
    ]
    try:
        with torch.no_grad():
            model(example)
    finally:
        for hook in hooks:
            hook.remove()
    for parent, name, child in places:
        _, channels, height, width = shapes[child]
        setattr(parent, name, FactoredFourierMixing(channels, height, width))
    return [(height, width) for _, _, height, width in shapes.values()]


def _dft(length: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the real and the imaginary part of the matrix of an unscaled DFT."""
    # the product of indices wraps around: the angle of its remainder is exact
    turns = np.outer(np.arange(length), np.arange(length)) % length / length
    return np.cos(2 * np.pi * turns), -np.sin(2 * np.pi * turns)
