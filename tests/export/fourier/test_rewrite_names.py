"""Names that Python or fx reserves, or that the rewrite's own constants have."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.export.fourier.rewriting import (
    THIRD_PARTY_WARNINGS,
    assert_same,
    relative_error,
    rewrite,
)

pytestmark = THIRD_PARTY_WARNINGS

_CONSTANT = "dft_16m_0t16_0t9_1_0_f32_cos"


def network(argument: str, buffer: str) -> nn.Module:
    """Return a filter whose input and weights have these names."""

    class Filter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer(buffer, torch.randn(9))

    names: dict[str, object] = {"torch": torch}
    spectrum = f"torch.fft.rfft({argument}) * self.get_buffer('{buffer}')"
    exec(f"def forward(self, {argument}): return torch.fft.irfft({spectrum})", names)  # noqa: S102
    Filter.forward = names["forward"]  # type: ignore[assignment]
    return Filter()


@pytest.mark.parametrize("argument", ["input", "int", "sum", "lambda_", "inf", f"b_{_CONSTANT}"])
def test_any_name_of_an_argument(argument: str) -> None:
    x = torch.randn(2, 16)
    for buffer in ("weight", "input", _CONSTANT):
        assert_same(network(argument, buffer), x, tolerance=1e-5)


def test_a_sequence_whose_input_is_written_to() -> None:
    def mutate(input: Tensor) -> Tensor:  # noqa: A002 - the name is the test
        spectrum = torch.fft.rfft(input).abs()
        input.add_(1.0)
        return spectrum

    class Mutating(nn.Module):
        forward = staticmethod(mutate)

    x = torch.randn(2, 16)
    program = rewrite(nn.Sequential(Mutating()), x.clone()).program.module()
    given, expected = x.clone(), torch.fft.rfft(x).abs()
    assert relative_error(program(given), expected) <= 1e-5
    assert torch.equal(given, x + 1)
