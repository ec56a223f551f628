"""Random chains of complex operators after a transform, against PyTorch, in float64."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, assert_same

pytestmark = THIRD_PARTY_WARNINGS


_WEIGHTS = torch.randn(1 << 17, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))


def _weight(length: int) -> Tensor:
    return _WEIGHTS[:length]


def _matrix(rows: int, columns: int) -> Tensor:
    return _WEIGHTS[: rows * columns].reshape(rows, columns)


def _mixed_last(z: Tensor) -> Tensor:
    length = z.shape[-1]
    return torch.matmul(z + 0j, _matrix(length, length)) / length if length <= 64 else z


def _real_of(z: Tensor) -> Tensor:
    return z.real if z.is_complex() else z


def _shrunk(z: Tensor) -> Tensor:
    z = z + 0j
    return torch.view_as_complex(F.softshrink(torch.view_as_real(z), 0.1))


def _relu_parts(z: Tensor) -> Tensor:
    z = z + 0j
    return torch.view_as_complex(torch.stack((F.relu(z.real), z.imag), dim=-1))


def _assigned(z: Tensor) -> Tensor:
    z = z.clone()
    z[..., 0] = 0.5
    return z


def _stft(z: Tensor) -> Tensor:
    flat = F.pad(_real_of(z).flatten(), (0, 8))
    return torch.stft(flat, 8, 3, center=False, window=torch.ones(8).double(), return_complex=True)


def _few_modes(z: Tensor) -> Tensor:
    """Return what a spectral layer does: a few frequencies of each end, the others zero."""
    x = _real_of(z)
    spectrum = torch.fft.fft(x, dim=0, norm="ortho")
    kept = torch.zeros_like(spectrum)
    kept[:1] = spectrum[:1] * (0.5 - 0.25j)
    kept[-1:] = spectrum[-1:]
    return torch.fft.ifft(kept, dim=0, norm="ortho")


def _convolved(z: Tensor) -> Tensor:
    """Return a convolution of a signal with a constant, by transforms of twice its length."""
    x = _real_of(z)
    length = x.shape[-1]
    kernel = torch.fft.rfft(_weight(length).real, 2 * length)
    return (
        torch.fft.irfft(torch.fft.rfft(x, 2 * length) * kernel, 2 * length)[..., :length] / length
    )


# Each maps a tensor of rank 1 to 4, real or complex, to another.
STEPS: dict[str, Callable[[Tensor], Tensor]] = {
    "fft": lambda z: torch.fft.fft(z, dim=0, norm="ortho"),
    "ifft": lambda z: torch.fft.ifft(z, norm="ortho"),
    "fft padded": lambda z: torch.fft.fft(z, z.shape[-1] + 1, norm="ortho"),
    "fft trimmed": lambda z: torch.fft.fft(z, max(1, z.shape[0] - 1), dim=0, norm="ortho"),
    "fft of twice the length": lambda z: torch.fft.fft(z, 2 * z.shape[-1], norm="ortho"),
    "low bins": lambda z: torch.fft.rfft(_real_of(z), norm="ortho")[..., :2],
    "bins from the end": lambda z: torch.fft.fft(z, norm="ortho")[..., -2:],
    "every other bin": lambda z: torch.fft.ifft(z, dim=0, norm="ortho")[::2],
    "few modes": _few_modes,
    "convolution": _convolved,
    "cropped irfft": lambda z: torch.fft.irfft(z, 2 * z.shape[-1] + 3, norm="ortho")[..., 1:5],
    "fftn": lambda z: torch.fft.fftn(z, norm="ortho"),
    "rfftn": lambda z: torch.fft.rfftn(_real_of(z), norm="ortho"),
    "irfft": lambda z: torch.fft.irfft(z, 5, norm="ortho"),
    "hfft": lambda z: torch.fft.hfft(z, 4, dim=0, norm="ortho"),
    "shift": torch.fft.fftshift,
    "conj": torch.conj,
    "conj times": lambda z: z * z.conj(),
    "real of conj": lambda z: (z + 0j).conj().imag,
    "times complex": lambda z: z * (0.5 - 0.8j),
    "times weight": lambda z: z * _weight(z.shape[-1]),
    "times real": lambda z: z * torch.linspace(-1, 1, z.shape[-1], dtype=torch.float64),
    "times integers": lambda z: z * torch.arange(z.shape[-1]),
    "plus itself flipped": lambda z: z + 0.5 * z.flip(0),
    "minus": lambda z: 1.5 - z,
    "alpha": lambda z: torch.sub(z, _weight(z.shape[-1]), alpha=0.5),
    "over": lambda z: z / (2 + z.abs()),
    "over complex": lambda z: z / (z * z.conj() + 1 + 1j),
    "reciprocal": lambda z: (z.abs() + 1 - 1j).reciprocal(),
    "square": lambda z: z**2 / (1 + z.abs()),
    "power": lambda z: (z / (1 + z.abs())) ** 3,
    "exp": lambda z: torch.exp(z / (1 + z.abs())),
    "modulus": torch.abs,
    "real": _real_of,
    "polar": lambda z: torch.polar(z.abs(), _real_of(z)),
    "complex": lambda z: torch.complex(_real_of(z), _real_of(z).flip(-1)),
    "matmul": _mixed_last,
    "einsum": lambda z: torch.einsum("...i,io->...o", z + 0j, _matrix(z.shape[-1], 3)) / 2,
    "sum": lambda z: z.sum(-1, keepdim=True),
    "mean": lambda z: z.mean(0, keepdim=True),
    "cumsum": lambda z: z.cumsum(0) / z.shape[0],
    "transpose": lambda z: z.transpose(0, -1),
    "permute": lambda z: z.permute(tuple(reversed(range(z.dim())))),
    "flatten": lambda z: z.flatten() if z.numel() < 200 else z,
    "reshape": lambda z: z.transpose(0, -1).reshape(z.shape),
    "unsqueeze": lambda z: z.unsqueeze(1) if z.dim() < 4 else z,
    "squeeze": lambda z: z.squeeze() if z.squeeze().dim() else z,
    "expand": lambda z: z.expand(2, *z.shape) if z.dim() < 3 else z,
    "slice": lambda z: z[..., : max(1, z.shape[-1] - 1)],
    "steps": lambda z: z[::2],
    "select": lambda z: z[0] if z.dim() > 1 else z,
    "index": lambda z: z[torch.tensor([0, z.shape[0] - 1, 0])],
    "cat": lambda z: torch.cat((z, z.conj(), _real_of(z)), dim=-1)[..., : z.shape[-1] + 2],
    "stack": lambda z: torch.stack((z, 2 * z), dim=0) if z.dim() < 3 else z,
    "roll": lambda z: z.roll((1, -2), (0, -1)),
    "split": lambda z: z.split(2, dim=-1)[0],
    "unbind": lambda z: z.unbind(0)[-1] if z.dim() > 1 else z,
    "pad": lambda z: F.pad(z, (1, 0), value=0.5),
    "where": lambda z: torch.where(_real_of(z) > 0.1, z, 0.5 * z),  # not 0: rounding has its sign
    "masked": lambda z: z.masked_fill(_real_of(z) > 0.3, 1.0),
    "zeros": lambda z: torch.zeros_like(z) - z,
    "full": lambda z: z + torch.full((z.shape[-1],), 1 - 2j, dtype=torch.complex128),
    "cast": lambda z: z.to(torch.complex128),
    "assigned": _assigned,
    "shrink": _shrunk,
    "relu": _relu_parts,
    "stft": _stft,
}  # fmt: skip


#: Those that keep a long signal long, or short, and make no matrix of it.
_OF_LONG = ("convolution", "ifft", "low bins", "bins from the end", "times complex", "modulus")


class Chain(torch.nn.Module):
    """A transform and then the named steps; every third intermediate value is an output too."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self.names = names

    def forward(self, x: Tensor) -> list[Tensor]:
        z = torch.fft.fft(x, norm="ortho")
        results = []
        for number, name in enumerate(self.names):
            z = STEPS[name](z)
            if number % 3 == 1:
                results.append(z)
        return [*results, z]

    def __repr__(self) -> str:
        return f"Chain({self.names})"


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[str], tuple[int, ...]]:
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    names = draw(st.lists(st.sampled_from(sorted(STEPS)), min_size=2, max_size=12))
    return names, shape


def assert_rewritten_right(chain: tuple[list[str], tuple[int, ...]]) -> None:
    names, shape = chain
    torch.manual_seed(0)
    assert_same(Chain(names), torch.randn(*shape, dtype=torch.float64), tolerance=1e-9)


_COMMON: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "database": None,
    "derandomize": True,
}


def random_chain(seed: int) -> tuple[list[str], tuple[int, ...]]:
    """Return a chain that depends on ``seed`` alone; one of a hundred begins with a long signal."""
    draw = Random(seed)  # noqa: S311 - no secret
    names = [draw.choice(sorted(STEPS)) for _ in range(draw.randint(2, 12))]
    if seed % 100 == 0:
        shape = (1, draw.choice([1000, 4096, 4099, 30_030, 1 << 17]))
        return [draw.choice(_OF_LONG) for _ in range(3)], shape
    return names, tuple(draw.randint(1, 6) for _ in range(draw.randint(1, 4)))


@given(chain=chains())
@settings(max_examples=4, **_COMMON)
def test_a_chain(chain: tuple[list[str], tuple[int, ...]]) -> None:
    assert_rewritten_right(chain)


@pytest.mark.exhaustive
@given(chain=chains())
@settings(max_examples=500, **_COMMON)
def test_five_hundred_chains(chain: tuple[list[str], tuple[int, ...]]) -> None:
    assert_rewritten_right(chain)


def test_every_step_in_one_graph() -> None:
    """Each step on a complex tensor whose strides are not those of its shape."""

    def graph(x: Tensor) -> list[Tensor]:
        z = torch.fft.fft2(x, norm="ortho")
        return [step(z.transpose(0, 1)) for step in STEPS.values()]

    torch.manual_seed(0)
    assert_same(graph, torch.randn(3, 4, 5, dtype=torch.float64))
