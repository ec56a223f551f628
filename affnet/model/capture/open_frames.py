"""Short-time transforms whose signal's length is open, and known from the input only.

``torch.istft(.., length=x.shape[-1])`` takes a number, so that `torch.export` fixes the length of x
to that of the example.  Here the same is computed with the length as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


@contextmanager
def open_lengths_taken() -> Iterator[None]:
    """Let ``torch.istft`` take a ``length`` that is open."""
    by_torch = torch.istft

    def istft(*args: Any, **kwargs: Any) -> Tensor:
        given = {**dict(zip(_ARGUMENTS, args, strict=False)), **kwargs}
        if isinstance(given.get("length"), torch.SymInt):
            return _istft(**given)
        return by_torch(*args, **kwargs)

    method = Tensor.istft
    torch.istft = istft
    Tensor.istft = istft  # type: ignore[method-assign]
    try:
        yield
    finally:
        torch.istft = by_torch
        Tensor.istft = method  # type: ignore[method-assign]


_ARGUMENTS = (
    *("input", "n_fft", "hop_length", "win_length", "window", "center", "normalized"),
    *("onesided", "length", "return_complex"),
)


def _istft(
    input: Tensor,  # noqa: A002 - torch's
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,  # noqa: ARG001 - half of both sides is one
    length: Any = None,
    return_complex: bool = False,
) -> Tensor:
    """Add up windowed frames and divide by the sum of squared windows, as ``torch.istft`` does."""
    step = n_fft // 4 if hop_length is None else hop_length
    size = n_fft if win_length is None else win_length
    window = torch.ones(size, dtype=input.real.dtype) if window is None else window
    before = (n_fft - size) // 2
    window = F.pad(window, (before, n_fft - size - before))
    frames = (input[None] if input.dim() == 2 else input).transpose(1, 2)
    norm = "ortho" if normalized else "backward"
    if return_complex:
        frames = torch.fft.ifft(frames, dim=2, norm=norm)
    else:
        frames = torch.fft.irfft(frames[..., : n_fft // 2 + 1], n_fft, dim=2, norm=norm)
    count = frames.shape[1]
    squares = window.square().expand(1, count, n_fft)
    # The sums reach n_fft beyond the last frame, with zeros over ones: a slice needs no condition.
    start, whole = n_fft // 2 if center else 0, n_fft + step * (count - 1)
    summed, weights = (
        F.pad(
            torch.ops.aten.unfold_backward(each, [each.shape[0], whole], 1, n_fft, step),
            (0, n_fft),
            value=beyond,
        )[:, start : start + length]
        for each, beyond in ((frames * window, 0.0), (squares, 1.0))
    )
    signal: Tensor = summed / weights
    return signal[0] if input.dim() == 2 else signal
