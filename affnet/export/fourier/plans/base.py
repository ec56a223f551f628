"""What every DFT plan is: a `FourierTransform` of one fixed map size, with its cost."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch

from affnet.export.fourier.plans.matrices import Matrix
from affnet.model.mixer import FourierTransform


@dataclass(frozen=True)
class Cost:
    """What one transform and its inverse cost for one image."""

    macs: int  # multiply-accumulates
    products: int  # matrix products a runtime starts; a batched product counts each member


class DFTPlan(FourierTransform):
    """A transform of H x W maps by matrix products with constants, exact up to rounding."""

    name: ClassVar[str]

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width, self.bins = height, width, width // 2 + 1

    def _constant(self, name: str, values: Matrix) -> None:
        """Register a constant: computed in float64, stored in the network's float32."""
        self.register_buffer(name, torch.from_numpy(values).float().contiguous(), persistent=False)

    @classmethod
    @abstractmethod
    def cost(cls, channels: int, height: int, width: int) -> Cost:
        """Return what analysing and synthesising C x H x W maps costs."""
