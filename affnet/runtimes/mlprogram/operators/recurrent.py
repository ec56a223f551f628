"""Recurrent layers, of sequences ``[S, B, I]``: step by step, as they are defined."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from affnet.errors import UnsupportedOperatorError
from affnet.runtimes.mlprogram.operators.activation import sigmoid
from affnet.runtimes.mlprogram.operators.registry import Array, operator

_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "linear": lambda x: x,
}


def _activation(name: str) -> Callable[[Array], Array]:
    if name not in _ACTIVATIONS:
        raise UnsupportedOperatorError(
            f"A recurrent layer with the activation {name!r} cannot be evaluated here",
            "run the model on a Mac.",
        )
    return _ACTIVATIONS[name]


def _steps(x: Array, direction: str) -> range:
    """Return the steps in the order in which they are taken."""
    return range(len(x))[::-1] if direction == "reverse" else range(len(x))


def _sequence(states: dict[int, Array], last: Array, whole: Array | bool) -> Array:
    """Return the states of all steps in the order of the sequence, or of the last one taken."""
    return np.stack([states[step] for step in sorted(states)]) if whole else last[None]


@operator("rnn")
def _rnn(
    x: Array,
    initial_h: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias: Array | float = 0.0,
    direction: str = "forward",
    output_sequence: Array | bool = False,
    activation: str = "tanh",
) -> tuple[Array, Array]:
    activate, state, states = _activation(activation), initial_h, {}
    for step in _steps(x, direction):
        state = activate(x[step] @ weight_ih.T + state @ weight_hh.T + bias)
        states[step] = state
    return _sequence(states, state, output_sequence), state


@operator("lstm")
def _lstm(
    x: Array,
    initial_h: Array,
    initial_c: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias: Array | float = 0.0,
    weight_ih_back: Array | None = None,
    weight_hh_back: Array | None = None,
    bias_back: Array | float = 0.0,
    direction: str = "forward",
    output_sequence: Array | bool = False,
    recurrent_activation: str = "sigmoid",
    cell_activation: str = "tanh",
    activation: str = "tanh",
) -> tuple[Array, Array, Array]:
    activations = tuple(map(_activation, (recurrent_activation, cell_activation, activation)))
    if direction != "bidirectional":
        weights = weight_ih, weight_hh, bias
        return _lstm_pass(x, initial_h, initial_c, weights, direction, output_sequence, activations)
    assert weight_ih_back is not None  # both directions have weights
    assert weight_hh_back is not None
    size = weight_hh.shape[1]
    passes = [
        _lstm_pass(
            x, initial_h[:, part], initial_c[:, part], weights, way, output_sequence, activations
        )
        for way, part, weights in (
            ("forward", slice(None, size), (weight_ih, weight_hh, bias)),
            ("reverse", slice(size, None), (weight_ih_back, weight_hh_back, bias_back)),
        )
    ]
    there, back = passes
    both = [np.concatenate(pair, axis=-1) for pair in zip(there, back, strict=True)]
    return both[0], both[1], both[2]


def _lstm_pass(
    x: Array,
    hidden: Array,
    cell: Array,
    weights: tuple[Array, Array, Array | float],
    direction: str,
    output_sequence: Array | bool,
    activations: tuple[Callable[[Array], Array], ...],
) -> tuple[Array, Array, Array]:
    """Run one direction; the rows of the weights are of the gates i, f, o and z."""
    (of_input, of_hidden, bias), (gate, candidate, output) = weights, activations
    states = {}
    for step in _steps(x, direction):
        sums = x[step] @ of_input.T + hidden @ of_hidden.T + bias
        i, f, o, z = np.split(sums, 4, axis=-1)
        cell = gate(f) * cell + gate(i) * candidate(z)
        hidden = gate(o) * output(cell)
        states[step] = hidden
    return _sequence(states, hidden, output_sequence), hidden, cell
