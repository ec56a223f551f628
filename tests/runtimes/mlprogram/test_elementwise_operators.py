"""Arithmetic and activations against torch and coremltools' own constant folding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from affnet.runtimes.mlprogram import load_program

mb = pytest.importorskip("coremltools.converters.mil.mil").Builder


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


A, B = draw(2, 3, 4, 5), draw(3, 1, 5, seed=1)
POSITIVE = np.abs(draw(2, 3, 4)) + np.float32(0.1)
UNIT = np.tanh(draw(2, 3, 4)) * np.float32(0.9)
INTEGERS = np.arange(-6, 6, dtype=np.int32).reshape(3, 4)

A16 = (1 + draw(50) / 3).astype(np.float16)

BINARY = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "real_div": torch.div,
    "floor_div": torch.floor_divide,
    "mod": torch.remainder,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "equal": torch.eq,
    "not_equal": torch.ne,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "less": torch.lt,
    "less_equal": torch.le,
}


@pytest.mark.parametrize("name", BINARY)
def test_binary_with_broadcast(assert_agrees, name):
    assert_agrees(lambda a, b: getattr(mb, name)(x=a, y=b), [A, B], BINARY[name])


@pytest.mark.parametrize("name", ["add", "sub", "mul", "floor_div", "mod", "maximum", "equal"])
def test_binary_on_integers(assert_agrees, name):
    other = np.array([[-3, 2, 5, -6]], np.int32)
    assert_agrees(lambda a, b: getattr(mb, name)(x=a, y=b), [INTEGERS, other], BINARY[name])


def test_pow(assert_agrees):
    assert_agrees(lambda a, b: mb.pow(x=a, y=b), [POSITIVE, UNIT], torch.pow)


@pytest.mark.parametrize("name", ["and", "or", "xor"])
def test_logic(assert_agrees, name):
    logic = getattr(torch, f"logical_{name}")

    def function(a, b):
        x, y = mb.greater(x=a, y=0.0), mb.greater(x=b, y=0.3)
        return getattr(mb, f"logical_{name}")(x=x, y=y)

    assert_agrees(function, [A, B], lambda a, b: logic(a > 0, b > 0.3))


UNARY = {
    "abs": (A, torch.abs),
    "acos": (UNIT, torch.acos),
    "asin": (UNIT, torch.asin),
    "atan": (A, torch.atan),
    "atanh": (UNIT, torch.atanh),
    "ceil": (A, torch.ceil),
    "cos": (A, torch.cos),
    "cosh": (A, torch.cosh),
    "erf": (A, torch.erf),
    "exp": (A, torch.exp),
    "exp2": (A, torch.exp2),
    "floor": (A, torch.floor),
    "round": (A * 4, torch.round),
    "sign": (A, torch.sign),
    "sin": (A, torch.sin),
    "sinh": (A, torch.sinh),
    "sqrt": (POSITIVE, torch.sqrt),
    "square": (A, torch.square),
    "tan": (UNIT, torch.tan),
    "tanh": (A, torch.tanh),
    "relu": (A, F.relu),
    "relu6": (A * 5, F.relu6),
    "sigmoid": (A * 5, torch.sigmoid),
    "silu": (A * 5, F.silu),
    "softplus": (A * 20, lambda a: F.softplus(a, threshold=1e9)),
    "softsign": (A, F.softsign),
    "identity": (A, lambda a: a),
}


@pytest.mark.parametrize("name", UNARY)
def test_unary(assert_agrees, name):
    array, expected = UNARY[name]
    assert_agrees(lambda a: getattr(mb, name)(x=a), [array], expected)


CHANNEL = np.array([0.1, -0.5, 2.0], np.float32)
MORE = {
    "inverse": (lambda a: mb.inverse(x=a, epsilon=0.25), lambda a: 1 / (a + 0.25)),
    "inverse_default": (lambda a: mb.inverse(x=a), lambda a: 1 / (a + 1e-4)),
    "log": (lambda a: mb.log(x=mb.abs(x=a)), lambda a: a.abs().log()),
    "rsqrt": (lambda a: mb.rsqrt(x=mb.abs(x=a), epsilon=0.5), lambda a: (a.abs() + 0.5).rsqrt()),
    "clip": (lambda a: mb.clip(x=a, alpha=-0.5, beta=0.25), lambda a: a.clamp(-0.5, 0.25)),
    "threshold": (lambda a: mb.threshold(x=a, alpha=0.5), lambda a: a.clamp(min=0.5)),
    "leaky_relu": (lambda a: mb.leaky_relu(x=a, alpha=0.1), lambda a: F.leaky_relu(a, 0.1)),
    "prelu": (lambda a: mb.prelu(x=a, alpha=CHANNEL), lambda a: F.prelu(a, torch.tensor(CHANNEL))),
    "elu": (lambda a: mb.elu(x=a, alpha=0.7), lambda a: F.elu(a, 0.7)),
    "clamped_relu": (
        lambda a: mb.clamped_relu(x=a, alpha=0.3, beta=0.8),
        lambda a: F.leaky_relu(a, 0.3).clamp(max=0.8),
    ),
    "thresholded_relu": (
        lambda a: mb.thresholded_relu(x=a, alpha=0.4),
        lambda a: torch.where(a >= 0.4, a, 0),
    ),
    "linear_activation": (
        lambda a: mb.linear_activation(x=a, alpha=2.5, beta=-1.0),
        lambda a: 2.5 * a - 1,
    ),
    "scaled_tanh": (
        lambda a: mb.scaled_tanh(x=a, alpha=1.5, beta=0.7),
        lambda a: 1.5 * torch.tanh(0.7 * a),
    ),
    "sigmoid_hard": (lambda a: mb.sigmoid_hard(x=a, alpha=1 / 6, beta=0.5), F.hardsigmoid),
    "softplus_parametric": (
        lambda a: mb.softplus_parametric(x=a, alpha=CHANNEL, beta=CHANNEL + 3),
        lambda a: (
            torch.tensor(CHANNEL).view(-1, 1, 1)
            * F.softplus(torch.tensor(CHANNEL + 3).view(-1, 1, 1) * a)
        ),
    ),
    "softmax": (lambda a: mb.softmax(x=a, axis=1), lambda a: a.softmax(1)),
    "softmax_large": (lambda a: mb.softmax(x=mb.mul(x=a, y=1e3)), lambda a: (a * 1e3).softmax(-1)),
    "gelu": (lambda a: mb.gelu(x=a, mode="EXACT"), F.gelu),
    "gelu_tanh": (
        lambda a: mb.gelu(x=a, mode="TANH_APPROXIMATION"),
        lambda a: F.gelu(a, approximate="tanh"),
    ),
    "gelu_sigmoid": (
        lambda a: mb.gelu(x=a, mode="SIGMOID_APPROXIMATION"),
        lambda a: a * torch.sigmoid(1.702 * a),
    ),
}


@pytest.mark.parametrize("name", MORE)
def test_parameters(assert_agrees, name):
    function, expected = MORE[name]
    # coremltools' folding of the tanh form lacks the cube's cast, of the threshold writes in place
    folds = name not in ("gelu_tanh", "thresholded_relu")
    assert_agrees(function, [A], expected, folds=folds, rtol=1e-4)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("int32", lambda a: a.to(torch.int32)),
        ("bool", lambda a: a != 0),
        ("fp16", lambda a: a.half()),
        ("fp32", lambda a: a),
    ],
)
def test_cast(assert_agrees, dtype, expected):
    array = np.array([-2.7, -0.5, 0, 0.3, 1.9, 1e-3], np.float32)
    assert_agrees(lambda a: mb.cast(x=a, dtype=dtype), [array], expected)


def test_logical_not_and_select(assert_agrees):
    assert_agrees(
        lambda a, b: mb.select(cond=mb.logical_not(x=mb.greater(x=a, y=0.0)), a=a, b=b),
        [A, np.broadcast_to(B, A.shape).copy()],
        lambda a, b: torch.where(a <= 0, a, b),
    )


@pytest.mark.parametrize("name", ["silu", "gelu", "exp", "sigmoid", "tanh"])
def test_float16_rounds_the_result_once(evaluate, name):
    array = draw(1000).astype(np.float16)
    expected = {"silu": F.silu, "gelu": F.gelu}.get(name) or getattr(torch, name)
    (result,) = evaluate(lambda a: getattr(mb, name)(x=a), [array])
    assert result.dtype == np.float16
    exact = expected(torch.from_numpy(array).double()).numpy()
    np.testing.assert_array_less(np.abs(result - exact), np.spacing(np.abs(exact).astype("f2")))


def test_float32_precision_does_not_round(saved):
    hundred = np.float16(100)
    program = load_program(saved(lambda a: mb.sub(x=mb.add(x=a, y=hundred), y=hundred), [A16]))
    (rounded,) = program.predict({"a": A16}).values()
    (exact,) = program.predict({"a": A16}, precision="float32").values()
    np.testing.assert_array_equal(rounded, (A16 + hundred) - hundred)
    np.testing.assert_allclose(exact, A16, rtol=1e-4)
    assert np.abs(rounded - A16).max() > 0.01


def test_float16_overflows_to_infinity_and_underflows_to_zero(evaluate):
    array = np.array([300, -300, 1e-4, 2], np.float16)
    (result,) = evaluate(lambda a: mb.square(x=a), [array])
    np.testing.assert_array_equal(result, np.array([np.inf, np.inf, 0, 4], np.float16))
