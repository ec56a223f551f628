"""Recurrent layers and loops against torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from affnet.errors import ArtifactError
from affnet.export.converters.coreml.float16 import in_half
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.model.source import load_source
from affnet.runtimes.mlprogram import execution, load_program, unsupported_operators

mb = pytest.importorskip("coremltools.converters.mil.mil").Builder

STEPS, BATCH, INPUTS, SIZE = 5, 2, 3, 4


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def as_mil(weight: torch.Tensor) -> np.ndarray:
    """Return weights of an LSTM with torch's gates i, f, z, o in MIL's order i, f, o, z."""
    i, f, z, o = np.split(weight.detach().numpy(), 4)
    return np.concatenate([i, f, o, z])


@pytest.mark.parametrize("output_sequence", [True, False])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_lstm(assert_agrees, direction: str, output_sequence: bool) -> None:
    torch.manual_seed(0)
    both = direction == "bidirectional"
    layer = nn.LSTM(INPUTS, SIZE, bidirectional=both)

    def weights(back: str = "") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        names = (f"weight_ih_l0{back}", f"weight_hh_l0{back}")
        bias = getattr(layer, f"bias_ih_l0{back}") + getattr(layer, f"bias_hh_l0{back}")
        return (*(as_mil(getattr(layer, name)) for name in names), as_mil(bias))

    given = dict(zip(("weight_ih", "weight_hh", "bias"), weights(), strict=True))
    if both:
        names = ("weight_ih_back", "weight_hh_back", "bias_back")
        given |= dict(zip(names, weights("_reverse"), strict=True))
    directions = 2 if both else 1
    state = draw(BATCH, directions * SIZE, seed=1)

    def expected(x: torch.Tensor) -> list[torch.Tensor]:
        turned = x.flip(0) if direction == "reverse" else x
        start = torch.from_numpy(state).reshape(BATCH, directions, SIZE).transpose(0, 1)
        with torch.no_grad():
            sequence, (h, c) = layer(turned, (start.contiguous(), start.contiguous()))
        h, c = (each.transpose(0, 1).reshape(BATCH, -1) for each in (h, c))
        if not output_sequence:
            return [h[None], h, c]
        return [sequence.flip(0) if direction == "reverse" else sequence, h, c]

    assert_agrees(
        lambda a: mb.lstm(
            x=a,
            initial_h=state,
            initial_c=state,
            direction=direction,
            output_sequence=output_sequence,
            **given,
        ),
        [draw(STEPS, BATCH, INPUTS)],
        expected,
        folds=False,
    )


@pytest.mark.parametrize("direction", ["forward", "reverse"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_rnn(assert_agrees, direction: str, activation: str) -> None:
    torch.manual_seed(0)
    layer = nn.RNN(INPUTS, SIZE, nonlinearity=activation)
    w_ih, w_hh, *biases = (value.detach().numpy() for value in layer.parameters())
    state = draw(BATCH, SIZE, seed=1)

    def expected(x: torch.Tensor) -> list[torch.Tensor]:
        turned = x.flip(0) if direction == "reverse" else x
        with torch.no_grad():
            sequence, h = layer(turned, torch.from_numpy(state)[None])
        return [sequence.flip(0) if direction == "reverse" else sequence, h[0]]

    assert_agrees(
        lambda a: mb.rnn(
            x=a,
            initial_h=state,
            weight_ih=w_ih,
            weight_hh=w_hh,
            bias=sum(biases),
            direction=direction,
            output_sequence=True,
            activation=activation,
        ),
        [draw(STEPS, BATCH, INPUTS)],
        expected,
        folds=False,
    )


class Gru(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.GRU(INPUTS, SIZE, batch_first=True, bidirectional=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(torch.fft.rfft(x).abs())[0]


def build_gru() -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    return Gru(), torch.rand(1, STEPS, 2 * INPUTS - 2)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_gru_which_is_a_loop_is_proven(tmp_path, precision: str) -> None:
    source = load_source(f"{__name__}:build_gru")
    artifact = export_artifact(source, ExportOptions("coreml", precision=precision), tmp_path)
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.passed
    program = load_program(artifact.path)
    assert unsupported_operators(program) == []
    assert "while_loop" in {node.operator for node in program.function.nodes}


def test_a_loop_without_an_end_is_refused(evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "_MOST_TURNS", 10)

    def forever(a):
        return mb.while_loop(
            _cond=lambda x: mb.less(x=mb.reduce_sum(x=x, keep_dims=False), y=1e9),
            _body=lambda x: mb.mul(x=x, y=1.0),
            loop_vars=(a,),
        )

    with pytest.raises(ArtifactError, match="has no end within 10 turns"):
        evaluate(forever, [draw(3)])


def test_what_a_loop_computes_is_rounded_to_float16_too(saved) -> None:
    """Inside it a value leaves float16, and comes back: what the trial of float16 must see."""
    function = load_program(
        saved(
            lambda a: mb.while_loop(
                _cond=lambda x: mb.less(x=mb.reduce_max(x=x, keep_dims=False), y=10.0),
                _body=lambda x: mb.mul(x=mb.mul(x=x, y=1e5), y=1e-4),
                loop_vars=(a,),
            ),
            [draw(3)],
        )
    ).function
    given = {"a": np.ones(3, np.float32)}
    (exact,) = execution.Evaluator(function).run(given, half=False).values()
    (half,) = execution.Evaluator(in_half(function, frozenset())).run(given, half=True).values()
    np.testing.assert_allclose(exact, 10.0, rtol=1e-6)
    assert np.isinf(half).all()
