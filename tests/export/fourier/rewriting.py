"""What the tests of the rewrite share: the oracle is the original module run by eager PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from affnet.export.fourier.rewrite import RewrittenProgram, rewrite_program

# Warnings of PyTorch's own making while it exports; ours still fail a test.
THIRD_PARTY_WARNINGS = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*"),
]


class Program(nn.Module):
    """A function as a module, with tensors it may use as parameters or buffers."""

    def __init__(self, function: Callable[..., Any], **tensors: Tensor) -> None:
        super().__init__()
        self.function = function
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)

    def forward(self, *args: Tensor) -> Any:
        return self.function(*args)


def as_real(value: Any) -> Any:
    """Give complex tensors the trailing axis that the rewrite gives them."""
    if isinstance(value, Tensor) and value.is_complex():
        return torch.view_as_real(value.detach().resolve_conj())
    if isinstance(value, Tensor):
        return value.detach()
    return [as_real(item) for item in value]


def rewrite(
    module: nn.Module | Callable[..., Any], *args: Tensor, **options: Any
) -> RewrittenProgram:
    """Export and rewrite a module or function."""
    module = module if isinstance(module, nn.Module) else Program(module)
    return rewrite_program(torch.export.export(module, args, **options))


def assert_real(result: RewrittenProgram) -> None:
    """Check the promise independently of the rewrite's own check: by what the nodes print."""
    for node in result.program.graph.nodes:
        value = str(node.meta.get("val"))
        assert "complex" not in value, (node, value)
        if node.op == "call_function":
            assert "fft_" not in str(node.target), node


def relative_error(actual: Any, expected: Any) -> float:
    """Return the largest difference over the largest expected value, over all outputs.

    Inputs here are of order one: an output below 0.01 is what cancellation left, and its rounding
    errors are those of larger values, so that they are not measured against it.
    """
    if isinstance(expected, Tensor):
        assert actual.shape == expected.shape
        assert actual.dtype == expected.dtype
        if expected.numel() == 0:
            return 0.0
        actual, expected = actual.double(), expected.double()
        assert torch.equal(actual.isfinite(), expected.isfinite())
        finite = expected.isfinite()
        difference = (actual - expected)[finite].abs().max() if finite.any() else torch.zeros(())
        scale = expected[finite].abs().max().clamp_min(0.01) if finite.any() else torch.ones(())
        return float(difference / scale)
    assert len(actual) == len(expected)
    return max(relative_error(a, b) for a, b in zip(actual, expected, strict=True))


def assert_same(
    module: nn.Module | Callable[..., Any],
    *args: Tensor,
    tolerance: float = 1e-10,
    others: tuple[Tensor, ...] | None = None,
    **options: Any,
) -> RewrittenProgram:
    """Check that the rewritten program agrees with eager PyTorch on ``args``, or on ``others``."""
    module = module if isinstance(module, nn.Module) else Program(module)
    result = rewrite(module, *args, **options)
    assert_real(result)
    inputs = others or args
    expected = as_real(module(*inputs))
    actual = as_real(result.program.module()(*map(as_real, inputs)))
    assert relative_error(actual, expected) <= tolerance
    return result
