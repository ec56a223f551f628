"""The signs of zeros, by which angles are pi or -pi, against eager PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, Program, rewrite

pytestmark = THIRD_PARTY_WARNINGS

PARTS = [0.0, -0.0, 2.0, -2.0]
#: Every pair of parts, as a real tensor with the pair last.
PAIRS = torch.cartesian_prod(torch.tensor(PARTS), torch.tensor(PARTS))
REAL = torch.tensor([3.0, -3.0] * 8)

#: Complex values of complex ones.
ARITHMETIC: list[Callable[[Tensor], Tensor]] = [
    *(lambda z, s=s: z * s for s in (1, -1, 2.5, -2.5, 1j, -1j, complex(-2, -0.0))),
    *(lambda z, s=s: z / s for s in (1, -1, 2.5, -2.5)),
    *(lambda z, s=s: z + s for s in (2, -2, 0.5j)),
    *(lambda z, s=s: z - s for s in (2, -2, 0.5j)),
    *(lambda z, s=s: s - z for s in (2, -2, 0.5j)),
    lambda z: z * REAL,
    lambda z: z / REAL,
    lambda z: z + REAL - 1,
    lambda z: REAL - z,
    lambda z: torch.sub(z, z.flip(0), alpha=2),
    lambda z: torch.add(z, z.flip(0), alpha=-2),
    lambda z: z + z.flip(0),
    lambda z: z - z.flip(0),
    lambda z: z * z.flip(0),
    lambda z: -z,
    lambda z: z.conj() * -1,
]


def both(pairs: Tensor) -> Tensor:
    """Return the parts of each result, and its angle."""
    z = torch.view_as_complex(pairs)
    results = [function(z) for function in ARITHMETIC]
    parts = [torch.stack((r.real, r.imag, r.angle())) for r in results]
    return torch.stack(parts)


def test_zeros_have_torchs_signs() -> None:
    actual, expected = rewrite(Program(both), PAIRS).program.module()(PAIRS), both(PAIRS)
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=0)
    wrong = (torch.signbit(actual) != torch.signbit(expected)).any(-1).any(-1)
    assert wrong.nonzero().flatten().tolist() == []
