"""Reformer's reversible residuals: training without keeping each layer's activations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class ReversibleResidual(nn.Module):
    """Two residual connections whose input can be computed from their output.

    ``y1 = x1 + f(x2)``, ``y2 = x2 + g(y1)``, for which ``x2 = y2 - g(y1)``, ``x1 = y1 - f(x2)``;
    in Reformer f is the attention and g the feed-forward layer.  Both must be deterministic.

    Source: Reformer, arXiv 2001.04451, section 3, equations 8 and 9; RevNet, arXiv 1707.04585.
    """

    def __init__(self, f: nn.Module, g: nn.Module) -> None:
        super().__init__()
        self.f, self.g = f, g

    def forward(self, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
        """Map two tensors of one shape to two of the same."""
        y1 = x1 + self.f(x2)
        return y1, x2 + self.g(y1)

    def inverse(self, y1: Tensor, y2: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `forward` was given, up to rounding."""
        x2 = y2 - self.g(y1)
        return y1 - self.f(x2), x2


class ReversibleSequence(nn.Module):
    """Reversible residuals one after the other, of which only the last output is kept.

    The way back computes each layer's input again, so that the memory of training does not grow
    with the depth; its price is one more forward pass.
    """

    def __init__(self, blocks: Sequence[ReversibleResidual]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Map a tensor to one of the same shape: in as both halves, out as their mean."""
        parameters = [p for p in self.parameters() if p.requires_grad]
        y1, y2 = _Reversed.apply(self.blocks, x, x, *parameters)  # type: ignore[no-untyped-call]
        mean: Tensor = (y1 + y2) / 2
        return mean


class _Reversed(torch.autograd.Function):
    """Runs the blocks without a graph, and builds that of one block at a time on the way back."""

    @staticmethod
    def forward(
        ctx: Any, blocks: nn.ModuleList, x1: Tensor, x2: Tensor, *parameters: Tensor
    ) -> tuple[Tensor, Tensor]:
        for block in blocks:
            x1, x2 = block(x1, x2)
        ctx.blocks, ctx.parameters = blocks, parameters
        ctx.save_for_backward(x1, x2)
        return x1, x2

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        outputs = ctx.saved_tensors
        total = {id(p): torch.zeros_like(p) for p in ctx.parameters}
        for block in reversed(ctx.blocks):
            with torch.no_grad():
                inputs = block.inverse(*outputs)
            trained = [p for p in block.parameters() if p.requires_grad]
            with torch.enable_grad():
                leaves = [x.detach().requires_grad_() for x in inputs]
                found = torch.autograd.grad(
                    block(*leaves), [*leaves, *trained], gradients, allow_unused=True
                )
            gradients = tuple(g for g in found[:2] if g is not None)
            for parameter, gradient in zip(trained, found[2:], strict=True):
                if gradient is not None:
                    total[id(parameter)] += gradient
            outputs = inputs
        return None, *gradients, *(total[id(p)] for p in ctx.parameters)
