"""Forms for float16: no value between is much larger than what goes in or comes out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.fx import Interpreter

from affnet.export.fourier.rewrite import rewrite_program
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS

pytestmark = THIRD_PARTY_WARNINGS


class Peaks(Interpreter):
    """Remembers the largest magnitude that any operator gives."""

    largest = 0.0

    def run_node(self, n):
        result = super().run_node(n)
        if n.op == "call_function" and isinstance(result, Tensor) and result.is_floating_point():
            self.largest = max(self.largest, float(result.abs().max()))
        return result


class Gate(nn.Module):
    """Convolution by a filter given as a spectrum."""

    def forward(self, x: Tensor) -> Tensor:
        z = torch.fft.rfft2(x)
        w = torch.complex(torch.linspace(0, 1, 33), torch.linspace(1, -1, 33))
        return torch.fft.irfft2((z * w)[..., :33] - z.conj(), s=x.shape[-2:])


class Modulus(nn.Module):
    """The size of a spectrum that was scaled by the user."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fft2(x, norm="ortho").abs()


class Cross(nn.Module):
    """The whitened product of two spectra, with every rule that a scale passes through."""

    def forward(self, x: Tensor) -> Tensor:
        a, b = torch.fft.fft2(x), torch.fft.fft2(x.flip(-1) + 1, norm="forward")
        ratio = a / (b + 3j) + torch.cat([a, a], 1).roll(1, -1)[:, :1].transpose(-1, -2)
        angle = (a * 1j).angle().cos() * a.abs() + torch.fft.ifft(a, norm="forward").real
        return torch.fft.ifft2(ratio).real + angle


@pytest.mark.parametrize(
    ("network", "limit"), [(Gate(), 65504 / 2), (Modulus(), 65504 / 2), (Cross(), None)]
)
def test_equal_and_small(network: nn.Module, limit: float | None) -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 1, 64, 64) * 255
    program = torch.export.export(network, (x,))
    peaks = []
    for half in (False, True):
        module = rewrite_program(program, half=half).program.module()
        run = Peaks(module)
        actual, expected = run.run(x), network(x)
        actual = actual[0] if isinstance(actual, tuple) else actual
        assert float((actual - expected).abs().max() / expected.abs().max()) <= 2e-6
        peaks.append(run.largest)
    if limit:
        assert peaks[0] > 65504 > limit > peaks[1]


def test_moduli_at_the_ends_of_float16() -> None:
    values = torch.tensor([[3e4, 4e4], [3e-7, 4e-7], [0.0, 0.0], [-5.0, 0.0]])

    class Size(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.view_as_complex(x).abs()

    program = torch.export.export(Size(), (values,))
    module = rewrite_program(program, half=True).program.module()
    assert module(values).tolist() == pytest.approx([5e4, 5e-7, 0.0, 5.0], rel=1e-6)
    assert torch.isfinite(module(values.half())).all()
