"""What every DFT plan is: a `FourierTransform` of one fixed map size, with its cost."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch

from affnet.export.fourier.plans.matrices import Matrix
from affnet.model.mixer import FourierTransform


@dataclass(frozen=True, order=True)
class MapSize:
    """The maps that one frequency filter sees, for one image."""

    channels: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width}"

    @property
    def pixels(self) -> int:
        """Numbers in all maps."""
        return self.channels * self.height * self.width

    @property
    def bins(self) -> int:
        """Columns of the half spectrum."""
        return self.width // 2 + 1

    @property
    def frequencies(self) -> int:
        """Complex numbers in the half spectra of all maps."""
        return self.channels * self.height * self.bins


@dataclass(frozen=True)
class Cost:
    """What one transform and its inverse cost for one image, or another part of a filter."""

    macs: int  # multiply-accumulates
    products: int  # matrix products a runtime starts; a batched product counts each member
    bytes: int  # of float32 operands and results, moved once by each operator
    operators: int  # that a runtime executes

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.macs + other.macs,
            self.products + other.products,
            self.bytes + other.bytes,
            self.operators + other.operators,
        )


def over_width_macs(size: MapSize) -> int:
    """Return the multiply-accumulates of one product over the width, real maps to half spectra."""
    return size.pixels * 2 * size.bins


def separable_cost(size: MapSize, *, passes: int, products: int, operators: int) -> Cost:
    """Return what a product over the width and one over the height cost, there and back.

    ``passes`` counts how often the numbers of one real part are read or written.
    """
    over_height = size.frequencies * (2 * size.height) * 2
    constants = 4 * size.width * size.bins + 8 * size.height**2
    moved = 2 * size.pixels + passes * size.frequencies + constants
    return Cost(2 * (over_width_macs(size) + over_height), products, 4 * moved, operators)


def packing_cost(size: MapSize, *, maps: int, parts: int) -> Cost:
    """Return what it costs that a runtime packs the right operands of its products.

    Constants it packs when it loads the network, others on each call, which writes and reads
    them once more.  ``maps`` counts the whole maps that stand there, ``parts`` the real or
    imaginary parts of spectra.
    """
    passes = maps * size.pixels + parts * size.frequencies
    return Cost(macs=0, products=0, bytes=4 * 2 * passes, operators=0)


class DFTPlan(FourierTransform):
    """A transform of H x W maps by matrix products with constants, exact up to rounding."""

    name: ClassVar[str]

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.size = self.height, self.width = height, width
        self.bins = width // 2 + 1

    def _constant(self, name: str, values: Matrix) -> None:
        """Register a constant: computed in float64, stored in the network's float32."""
        self.register_buffer(name, torch.from_numpy(values).float().contiguous(), persistent=False)

    @classmethod
    def frequencies(cls, size: MapSize) -> int:
        """Return how many complex numbers the mask sees: a plan may hold some of them twice."""
        return size.frequencies

    @classmethod
    @abstractmethod
    def cost(cls, size: MapSize) -> Cost:
        """Return what analysing and synthesising maps of ``size`` costs."""
