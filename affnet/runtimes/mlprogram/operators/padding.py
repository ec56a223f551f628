"""How convolution and pooling pad: MIL's ``pad_type`` and ``pad``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from affnet.runtimes.mlprogram.operators.registry import Array

#: Elements added before and after each spatial axis.
Margins = list[tuple[int, int]]


def integers(values: Array | Sequence[int] | None, default: int, count: int) -> list[int]:
    """Return ``values`` as integers, ``count`` times ``default`` if there are none."""
    if values is None:
        return [default] * count
    return [int(value) for value in values]


def margins(
    pad_type: str,
    pad: Array | None,
    sizes: Sequence[int],
    extents: Sequence[int],
    strides: Sequence[int],
) -> Margins:
    """Return the padding of each axis, of ``sizes`` under kernels that span ``extents``.

    ``same`` pads so that ceil(size / stride) windows fit, an odd element after the data;
    ``same_lower`` puts it before.
    """
    if pad_type == "valid":
        return [(0, 0)] * len(sizes)
    if pad_type == "custom":
        flat = integers(pad, 0, 2 * len(sizes))
        return list(zip(flat[::2], flat[1::2], strict=True))
    if pad_type not in ("same", "same_lower"):
        raise ValueError(f"unknown pad_type {pad_type}")
    result = []
    for size, extent, stride in zip(sizes, extents, strides, strict=True):
        total = max(0, (math.ceil(size / stride) - 1) * stride + extent - size)
        small, large = total // 2, total - total // 2
        result.append((small, large) if pad_type == "same" else (large, small))
    return result


def torch_order(pads: Margins) -> list[int]:
    """Return ``pads`` as `torch.nn.functional.pad` takes them, the last axis first."""
    return [amount for pair in reversed(pads) for amount in pair]
