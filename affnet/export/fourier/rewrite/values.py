"""What stands in the new graph for a complex value of the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import torch
from torch.fx import Node

if TYPE_CHECKING:
    from affnet.export.fourier.rewrite.emitter import Emitter

aten = torch.ops.aten

# A part of a complex operand: a real tensor, a Python number, or None for an exact zero.
Part: TypeAlias = Node | float | None


class Complex:
    """A complex value, held as its parts, as one tensor with a trailing axis of 2, or as both.

    At least one form is given.  Each is made from the other when it is first asked for, so that
    ``real(fft(x))`` never builds the pair and a complex input that is returned at once is never
    taken apart.
    """

    def __init__(
        self,
        emitter: Emitter,
        parts: tuple[Node, Node] | None = None,
        whole: Node | None = None,
    ) -> None:
        self._emitter, self._whole = emitter, whole
        self._parts: list[Node | None] = [None, None] if parts is None else [*parts]

    @property
    def real(self) -> Node:
        """The real part, a node of the value's own shape."""
        return self.part(0)

    @property
    def imag(self) -> Node:
        """The imaginary part, a node of the value's own shape."""
        return self.part(1)

    @property
    def whole(self) -> Node:
        """Both parts along a trailing axis of 2, as `torch.view_as_real` orders them."""
        if self._whole is None:
            self._whole = self._emitter.call(aten.stack.default, [self.real, self.imag], -1)
        return self._whole

    def part(self, index: int) -> Node:
        """Return the real (0) or the imaginary (1) part."""
        node = self._parts[index]
        if node is None:
            node = self._emitter.call(aten.select.int, self._whole, -1, index)
            self._parts[index] = node
        return node


class Scaled(Complex):
    """A complex value held as ``bare``, of which it is 2^``exponent`` times; see `scaling`."""

    def __init__(self, emitter: Emitter, bare: Complex, exponent: int) -> None:
        super().__init__(emitter)
        self.bare, self.exponent = bare, exponent

    @classmethod
    def of(cls, emitter: Emitter, bare: Complex, exponent: int) -> Complex:
        """Return 2^``exponent`` times ``bare``."""
        return cls(emitter, bare, exponent) if exponent else bare

    def part(self, index: int) -> Node:
        """Return the real (0) or the imaginary (1) part, multiplied out."""
        node = self._parts[index]
        if node is None:
            factor = 2.0**self.exponent
            node = self._emitter.call(aten.mul.Tensor, self.bare.part(index), factor)
            self._parts[index] = node
        return node


class RealView:
    """The result of `torch.view_as_real`, not yet built: most often only a part is taken of it."""

    def __init__(self, source: Complex) -> None:
        self.source = source


def real_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the type of the parts of a complex type; any other type unchanged."""
    return dtype.to_real() if dtype.is_complex else dtype
