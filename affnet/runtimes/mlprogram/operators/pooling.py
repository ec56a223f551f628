"""Pooling over one to three axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from affnet.runtimes.mlprogram.operators.convolution import to_torch
from affnet.runtimes.mlprogram.operators.padding import Margins, integers, margins, torch_order
from affnet.runtimes.mlprogram.operators.registry import Array, operator


class _Windows:
    """Where the windows of a pooling operator lie: sizes, strides and padding."""

    def __init__(
        self,
        x: Array,
        kernel_sizes: Array,
        strides: Array | None,
        pad_type: str,
        pad: Array | None,
        ceil_mode: bool,
    ) -> None:
        self.sizes = x.shape[2:]
        self.kernel = integers(kernel_sizes, 1, x.ndim - 2)
        self.strides = integers(strides, 1, x.ndim - 2)
        self.pads = margins(pad_type, pad, self.sizes, self.kernel, self.strides)
        #: what a last window that is only begun needs beyond the padding
        self.excess: Margins = [(0, 0)] * len(self.sizes)
        if ceil_mode:
            # a kernel larger than the map, of global pooling, need not be filled up
            spans = [size + sum(pad) for size, pad in zip(self.sizes, self.pads, strict=True)]
            self.kernel = [min(pair) for pair in zip(self.kernel, spans, strict=True)]
            self.excess = [(0, self._excess(axis)) for axis in range(len(self.sizes))]

    def _excess(self, axis: int) -> int:
        size, kernel, stride = int(self.sizes[axis]), self.kernel[axis], self.strides[axis]
        before, after = self.pads[axis]
        padded = size + before + after
        count = -((kernel - padded) // stride) + 1
        if (count - 1) * stride >= size + before and before + after > 0:
            count -= 1  # it would begin in the padding after the data
        return max(0, (count - 1) * stride + kernel - padded)

    def pool(self, x: Array, kind: str, layers: Sequence[tuple[Margins, float]]) -> Array:
        """Pool ``x`` after padding it by each of ``layers``, with their fillings in turn."""
        import torch.nn.functional as F

        tensor = to_torch(x)
        for pads, filling in layers:
            if any(before or after for before, after in pads):
                tensor = F.pad(tensor, torch_order(pads), value=filling)
        pool = getattr(F, f"{kind}_pool{len(self.sizes)}d")
        result: Array = pool(tensor, self.kernel, self.strides).numpy()
        return result

    def sums(self, x: Array) -> Array:
        """Return the sum of each window, of zeros where it leaves the data."""
        means = self.pool(x, "avg", [(self.pads, 0.0), (self.excess, 0.0)])
        return means * np.float32(np.prod(self.kernel))


@operator("max_pool", exact=True)
def _max_pool(
    x: Array,
    kernel_sizes: Array,
    pad_type: str,
    strides: Array | None = None,
    pad: Array | None = None,
    ceil_mode: Array | bool = False,
) -> Array:
    windows = _Windows(x, kernel_sizes, strides, pad_type, pad, bool(ceil_mode))
    return windows.pool(x, "max", [(windows.pads, -np.inf), (windows.excess, -np.inf)])


@operator("avg_pool")
def _avg_pool(
    x: Array,
    kernel_sizes: Array,
    pad_type: str,
    strides: Array | None = None,
    pad: Array | None = None,
    exclude_padding_from_average: Array | bool = False,
    ceil_mode: Array | bool = False,
) -> Array:
    windows = _Windows(x, kernel_sizes, strides, pad_type, pad, bool(ceil_mode))
    # what lies beyond the padding counts for no average, the padding itself unless excluded
    filling = 0.0 if exclude_padding_from_average else 1.0
    counts = windows.pool(
        np.ones((1, 1, *windows.sizes), np.float32),
        "avg",
        [(windows.pads, filling), (windows.excess, 0.0)],
    )
    return windows.sums(x) / (counts * np.float32(np.prod(windows.kernel)))


@operator("l2_pool")
def _l2_pool(
    x: Array,
    kernel_sizes: Array,
    pad_type: str,
    strides: Array | None = None,
    pad: Array | None = None,
    ceil_mode: Array | bool = False,
) -> Array:
    windows = _Windows(x, kernel_sizes, strides, pad_type, pad, bool(ceil_mode))
    return np.sqrt(windows.sums(np.square(x)))
