"""Python's ``&``, ``|`` and ``^`` of truth values, which coremltools knows by other names only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def of_truth_values(logical: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Any]:
    """Return the rule that gives ``logical`` of two bool tensors; integers stay as they are."""

    def rule(a: Tensor, b: Tensor) -> Any:
        both = a.dtype == b.dtype == torch.bool
        return logical(a, b) if both else NotImplemented

    return rule
