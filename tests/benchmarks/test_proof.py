"""A sample of `benchmarks.proof`, on the format that converts nothing, and what it rests on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from affnet.parity import TOLERANCES
from benchmarks.proof import judge
from benchmarks.proof.faults import KINDS
from benchmarks.proof.held_out import VISIBLE, held_out_inputs, references
from benchmarks.proof.judge import Target, Task, trial
from benchmarks.proof.networks import planted
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS

pytestmark = [*THIRD_PARTY_WARNINGS]
TORCH = Target("torch")


@pytest.mark.parametrize("number", range(len(KINDS)), ids=KINDS)
def test_a_planted_fault_is_refused(number: int) -> None:
    done = trial(Task(TORCH, True, 0, number))
    assert done.counted, done
    assert done.verdict == "refused", done


@pytest.mark.parametrize("number", range(9))
def test_a_clean_network_passes(number: int) -> None:
    done = trial(Task(TORCH, False, 0, number))
    assert done.counted, done
    assert done.verdict == "passed", done


def test_a_wrong_verdict_is_misjudged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for planted_, verdict in ((True, "passed"), (False, "refused")):
        monkeypatch.setattr(judge, "_verdict", lambda *_, verdict=verdict: (verdict, "planted"))
        assert trial(Task(TORCH, planted_, 0, 0, tmp_path)).misjudged


def test_a_pair_differs_visibly_in_one_part() -> None:
    pair = planted(0, 5)
    inputs = held_out_inputs(pair.domain, tuple(pair.example.shape))
    expected = references(pair.network, inputs, TOLERANCES["fp32"])[pair.seen_on]
    with torch.inference_mode():
        right, wrong = (
            network(inputs[pair.seen_on]).numpy() for network in (pair.network, pair.twin)
        )
    assert expected.error(right, stable=True) == 0
    assert expected.error(wrong, stable=False) > VISIBLE
    assert pair.network.before is pair.twin.before


def test_what_float32_leaves_open_is_no_fault() -> None:
    """The phase of a spectrum without imaginary part is pi or -pi as rounding has it."""
    x = torch.tensor([[1.0, 2.0, 3.0, 2.0]])

    def phase(z: torch.Tensor) -> torch.Tensor:
        return torch.fft.fft(z).angle()

    class Phase(torch.nn.Module):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return phase(z)

    found = references(Phase(), {"x": x}, TOLERANCES["fp32"])["x"]
    other = phase(x).numpy().copy()
    other[0, 1] *= -1
    assert found.error(other, stable=False) > 1
    assert found.error(other, stable=True) == 0
    assert found.error(np.full_like(other, np.nan), stable=True) == np.inf
