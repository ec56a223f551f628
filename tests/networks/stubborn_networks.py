"""Networks at which ``torch.export`` alone stops, in the ways that published ones make it stop.

`CAPTURED` become programs all the same; what `REFUSED` compute depends on the values of the input.
Each entry is (build, shape of the input).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CenteredInverse(nn.Module):
    """Vocos, padding "same": overlap-add by fold, with an assertion about the window's envelope."""

    def __init__(self, size: int = 16, hop: int = 4) -> None:
        super().__init__()
        self.size, self.hop = size, hop
        self.register_buffer("window", torch.hann_window(size))

    def forward(self, x: Tensor) -> Tensor:
        magnitude, phase = x.chunk(2, dim=1)
        z = magnitude.exp().clip(max=1e2) * (torch.cos(phase) + 1j * torch.sin(phase))
        frames = torch.fft.irfft(z, self.size, dim=1, norm="backward") * self.window[None, :, None]
        count, pad = x.shape[-1], (self.size - self.hop) // 2
        length = (count - 1) * self.hop + self.size
        folding = {"output_size": (1, length), "kernel_size": (1, self.size)}
        y = F.fold(frames, **folding, stride=(1, self.hop))[:, 0, 0, pad:-pad]
        squares = self.window.square().expand(1, count, -1).transpose(1, 2)
        envelope = F.fold(squares, **folding, stride=(1, self.hop)).squeeze()[pad:-pad]
        assert (envelope > 1e-11).all()
        return y / envelope


def padded(x: Tensor, left: int, right: int) -> Tensor:
    y = F.pad(x, (left, right), "reflect")
    assert y.shape[-1] == x.shape[-1] + left + right
    assert (y[..., left : left + x.shape[-1]] == x).all()
    return y


class CheckedPadding(nn.Module):
    """HDemucs: reflect padding that asserts that the signal is still in it."""

    def forward(self, x: Tensor) -> Tensor:
        z = torch.stft(padded(x, 3, 5), 16, 4, window=torch.hann_window(16), return_complex=True)
        return z.abs()


class PadsAsItCan(nn.Module):
    """nnAudio: zeros where reflection is refused, as it is beyond a signal's length."""

    def forward(self, x: Tensor) -> Tensor:
        try:
            y = F.pad(x[:, None], (20, 20), "reflect")
        except RuntimeError:
            y = F.pad(x[:, None], (20, 20))
        return torch.fft.rfft(y).abs()


class LooksAtData(nn.Module):
    """Open-Unmix: the shape from ``x.data``, of which a dispatch mode is told as of a subclass."""

    def forward(self, x: Tensor) -> Tensor:
        y = x.reshape(x.data.shape[0], -1)
        scale = float(torch.hann_window(16).sum())  # at which torch.export stops
        return torch.fft.rfft(y * scale).abs()


class SparseKernel(nn.Module):
    """torch-harmonics' convolution on the sphere: its kernel is a sparse buffer."""

    def __init__(self) -> None:
        super().__init__()
        kernel = torch.eye(16)[::2].to_sparse()
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.rfft((self.kernel.to(torch.float32) @ x.T).T).abs()


class MappedConstants(nn.Module):
    """S5's block: a matrix is made within one torch.vmap, and used within another."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        def scanned(series: Tensor, step: Tensor) -> Tensor:
            weight = self.weight * step
            return torch.vmap(lambda element: weight @ element)(series)

        spectra = torch.fft.rfft(x).abs()[:, :8].unflatten(1, (2, 4))
        return torch.vmap(scanned)(spectra, torch.ones(len(x)))


class WritesByMask(nn.Module):
    """nnAudio's inverse STFT: divides by the window's envelope where that is not zero."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("envelope", torch.hann_window(16))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.fft.irfft(torch.fft.rfft(x) * 0.5)
        mask = self.envelope > 1e-3
        y[:, mask] = y[:, mask] / self.envelope[mask]
        return y


class LazyWindow(nn.Module):
    """A window that is made at the first call and kept."""

    def __init__(self) -> None:
        super().__init__()
        self.window: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.window is None or self.window.shape[0] != x.shape[-1]:
            self.window = torch.hann_window(x.shape[-1])
            if self.window.sum() < 1:
                raise ValueError("an empty window")
        if self.window.sum() > 1:
            x = x * self.window
        return torch.fft.rfft(x).abs()


_FILTERS: dict[int, Tensor] = {}


class CachedFilters(nn.Module):
    """torchcwt: wavelets cached by length outside the network, cut where they are nearly zero."""

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[-1]
        if length not in _FILTERS:
            times = torch.linspace(-4, 4, length)
            _FILTERS[length] = torch.exp(-times.square()) * torch.exp(5j * times)
        bank = _FILTERS[length]
        bank = bank[bank.abs() > 1e-3]
        spectrum = torch.fft.fft(x, length + bank.numel()) * torch.fft.fft(
            bank, length + bank.numel()
        )
        return torch.fft.ifft(spectrum).abs()


class CheckedConstant(nn.Module):
    """A check by allclose, and a norm taken as a number."""

    def __init__(self) -> None:
        super().__init__()
        self.basis = nn.Parameter(torch.linalg.qr(torch.randn(8, 8)).Q)

    def forward(self, x: Tensor) -> Tensor:
        assert torch.allclose(self.basis @ self.basis.T, torch.eye(8), atol=1e-4)
        return torch.fft.rfft(x @ self.basis / self.basis.norm().item()).real


class SizesFromTensors(nn.Module):
    """A pyramid whose sizes are numbers of tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("sizes", torch.tensor([16, 8]))

    def forward(self, x: Tensor) -> Tensor:
        parts = [torch.fft.rfft(x[..., : int(size)]).abs() for size in self.sizes]
        steps = torch.diff(self.sizes.flip(0)).tolist()
        return torch.cat([part.mean(-1, keepdim=True) for part in parts], -1) / steps[0]


class WritesInPlace(nn.Module):
    """CODANO: an empty spectrum filled by slices, whose bounds are numbers of a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("modes", torch.tensor(4))
        self.weight = nn.Parameter(torch.randn(2, 2, 4, dtype=torch.complex64))

    def forward(self, x: Tensor) -> Tensor:
        z = torch.fft.rfft(x)
        out = torch.zeros(x.shape[0], 2, z.shape[-1], dtype=z.dtype)
        low = out[:, :, : self.modes.item()]
        low += torch.einsum("bim,iom->bom", z[:, :, : self.modes.item()], self.weight)
        out[:, :, -1].fill_(1.0)
        return torch.fft.irfft(out, n=x.shape[-1])


class Tagged(Tensor):
    """A tensor subclass that takes part in every function."""

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = super().__torch_function__(func, types, args, kwargs or {})
        if func is Tensor.mul and isinstance(result, Tensor) and bool(args[1].isnan().any()):
            raise ValueError("NaN")
        return result


class OfSubclass(nn.Module):
    """DCUNet: weights that are a subclass of Tensor, which looks at values as it is used."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.rand(9).as_subclass(Tagged)

    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.rfft(x).abs().mul(self.scale).as_subclass(Tensor)


class Wave(Tensor):
    """A tensor subclass that is made of results."""

    @staticmethod
    def __new__(cls, data: Tensor) -> Wave:
        return super().__new__(cls, data)

    @property
    def intensity(self) -> Tensor:
        return torch.abs(Tensor(self)) ** 2


class Diffracts(nn.Module):
    """A diffractive layer of svetlanna, between waves."""

    def __init__(self) -> None:
        super().__init__()
        self.mask = nn.Parameter(torch.rand(16))

    def forward(self, x: Tensor) -> Tensor:
        wave = Wave(torch.fft.fft(x.to(torch.complex64)))
        return Wave(wave * torch.exp(1j * self.mask)).intensity + wave.intensity


class _Kernel(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, taps: Tensor) -> Tensor:
        if not torch.isfinite(taps).all():
            raise ValueError("not finite")
        ctx.save_for_backward(taps)
        return torch.fft.irfft(torch.fft.rfft(x) * torch.fft.rfft(taps), n=x.shape[-1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        (taps,) = ctx.saved_tensors
        return gradient * taps, None


class CustomKernel(nn.Module):
    """A function with a gradient of its own, which checks its constant."""

    def __init__(self) -> None:
        super().__init__()
        self.taps = nn.Parameter(torch.randn(16))

    def forward(self, x: Tensor) -> Tensor:
        return _Kernel.apply(x, self.taps)  # type: ignore[no-any-return]


class MaskedFrequencies(nn.Module):
    """SFNO: a mask of constants picks what is kept; numpy counts it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.fft.rfftfreq(16))

    def forward(self, x: Tensor) -> Tensor:
        kept = self.frequencies < 0.3
        count = int(np.count_nonzero(kept.numpy()))
        picked = torch.fft.rfft(x)[..., kept]
        return picked.abs().reshape(x.shape[0], count) / torch.nonzero(kept).shape[0]


class RepeatedMask(nn.Module):
    """ReFNO: masked_select by a mask that is repeated over channels."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", torch.fft.rfftfreq(16) < 0.3)

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(x).abs()[..., None] * torch.arange(1, 4)
        return torch.masked_select(spectrum, self.kept[:, None]).reshape(x.shape[0], -1, 3)


class Recurrent(nn.Module):
    """A recurrent layer and attention behind a check of its front end."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(9, 8, batch_first=True)
        self.attention = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.register_buffer("window", torch.hann_window(16))

    def forward(self, x: Tensor) -> Tensor:
        if self.window.max() > 2:
            raise ValueError("no window")
        z = torch.stft(x, 16, 8, window=self.window, return_complex=True).abs().mT
        return self.attention(self.lstm(z)[0])  # type: ignore[no-any-return]


class ChecksInput(nn.Module):
    """A check of the input's range, which its example passes."""

    def forward(self, x: Tensor) -> Tensor:
        if x.abs().max() > 1e6:
            raise ValueError("too loud")
        return torch.fft.rfft(x).abs()


class DelaysByData(nn.Module):
    """Autoformer in training: the delays of the strongest correlation, as numbers."""

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(x)
        correlation = torch.fft.irfft(spectrum * spectrum.conj(), n=x.shape[-1]).mean(0)
        delays = correlation[1:].topk(2).indices
        return sum(torch.roll(x, -int(delay) - 1, -1) for delay in delays)  # type: ignore[return-value]


class LoudestFirst(nn.Module):
    """Open-Unmix' Wiener filter: as many steps as the loudest value asks for."""

    def forward(self, x: Tensor) -> Tensor:
        z = torch.fft.rfft(x)
        scale = max(1.0, float(z.abs().max()) / 10)
        return (z / scale).abs().square() / scale


class KeepsLoud(nn.Module):
    """A result as long as there are loud samples."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fft(x[x > 0]).abs().sum(0, keepdim=True)


class ThroughNumpy(nn.Module):
    """A transform by numpy."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.from_numpy(np.abs(np.fft.fft(x.numpy()))).float()


Built = tuple[Callable[[], nn.Module], tuple[int, ...]]

CAPTURED: dict[str, Built] = {
    "assertion about a window": (CenteredInverse, (1, 18, 10)),
    "assertion about the input": (CheckedPadding, (1, 64)),
    "pads as it can": (PadsAsItCan, (2, 16)),
    "looks at data": (LooksAtData, (2, 16)),
    "sparse kernel": (SparseKernel, (2, 16)),
    "mapped constants": (MappedConstants, (2, 16)),
    "writes by mask": (WritesByMask, (2, 16)),
    "lazily made window": (LazyWindow, (2, 16)),
    "filters cached outside": (CachedFilters, (2, 16)),
    "allclose and item": (CheckedConstant, (2, 8)),
    "sizes from tensors": (SizesFromTensors, (2, 16)),
    "writes in place": (WritesInPlace, (2, 2, 16)),
    "tensor subclass": (OfSubclass, (2, 16)),
    "subclass of results": (Diffracts, (2, 16)),
    "autograd function": (CustomKernel, (2, 16)),
    "constant mask and numpy": (MaskedFrequencies, (2, 16)),
    "repeated mask": (RepeatedMask, (2, 16)),
    "recurrent layers": (Recurrent, (1, 64)),
    "check of the input": (ChecksInput, (2, 16)),
}

REFUSED: dict[str, Built] = {
    "delays by data": (DelaysByData, (4, 16)),
    "scale by data": (LoudestFirst, (2, 64)),
    "size by data": (KeepsLoud, (16,)),
    "numpy": (ThroughNumpy, (2, 16)),
}


def make_stubborn(name: str) -> tuple[nn.Module, Tensor]:
    """Return one of either table in evaluation mode, and an input, the same at every call."""
    build, shape = (CAPTURED | REFUSED)[name]
    torch.manual_seed(0)
    return build().eval(), torch.randn(*shape)
