"""The signs of zeros, by which angles are pi or -pi, against eager PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, Program, rewrite
from tests.export.operators.test_rules import in_file

pytestmark = THIRD_PARTY_WARNINGS

aten = torch.ops.aten

#: Pairs of parts, as a real tensor with the pair last.
PAIRS = torch.tensor(
    [
        *((real, imag) for real in (2.0, -2.0, 3.0, -4.0) for imag in (0.0, -0.0, 2.0)),
        *((0.0, imag) for imag in (0.0, 0.0, 2.0, -2.0)),
    ]
)
REAL = torch.tensor([3.0, -3.0] * 8)

ARITHMETIC: list[Callable[[Tensor], Tensor]] = [
    *(lambda z, s=s: z * s for s in (1, -1, 2.5, -2.5)),
    *(lambda z, s=s: z / s for s in (1, -1, 2.5, -2.5)),
    *(lambda z, s=s: z + s for s in (5, -5)),
    *(lambda z, s=s: z - s for s in (5, -5)),
    *(lambda z, s=s: s - z for s in (5, -5)),
    lambda z: z * REAL,
    lambda z: REAL * z,
    lambda z: z / REAL,
    lambda z: z + REAL - 1,
    lambda z: REAL - z,
    lambda z: -z,
]


#: Each operator once: its factor's or summand's sign does not change what a file is made of.
EACH_ONCE = [ARITHMETIC[index] for index in (3, 7, 8, 11, 13, *range(14, 20))]


def angles(pairs: Tensor, functions: list[Callable[[Tensor], Tensor]] = ARITHMETIC) -> Tensor:
    z = torch.view_as_complex(pairs)
    return torch.stack([function(z).angle() for function in functions])


def test_angles_are_torchs() -> None:
    program = rewrite(Program(angles), PAIRS).program
    torch.testing.assert_close(program.module()(PAIRS), angles(PAIRS), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("format_", "functions"),
    [
        ("onnx", ARITHMETIC),
        *(
            pytest.param(name, EACH_ONCE, marks=[pytest.mark.converters, pytest.mark.slow])
            for name in ("coreml", "tflite", "executorch")
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} functions",
)
def test_angles_in_files(
    format_: str, functions: list[Callable[[Tensor], Tensor]], tmp_path: Path
) -> None:
    def given(pairs: Tensor) -> Tensor:
        return angles(pairs, functions)

    network = rewrite(Program(given), PAIRS).program.module()
    torch.testing.assert_close(
        in_file(network, PAIRS, format_, tmp_path), given(PAIRS), rtol=1e-6, atol=0
    )


def test_programs_without_angles_are_spared_the_choice_of_zeros() -> None:
    def filtered(x: Tensor) -> Tensor:
        return torch.fft.irfft((torch.fft.rfft(x) * REAL[:9] * -2 + 1) / -3)

    program = rewrite(Program(filtered), REAL).program
    assert aten.where.self not in {node.target for node in program.graph.nodes}
