"""Convolutions, products, normalisations and reductions against torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

mb = pytest.importorskip("coremltools.converters.mil.mil").Builder


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def tensor(array):
    return torch.from_numpy(array)


X, W, BIAS = draw(2, 4, 9, 10), draw(6, 2, 3, 4, seed=1), draw(6, seed=2)


def convolved(a, pads, **options):
    return F.conv2d(F.pad(a, pads), tensor(W), tensor(BIAS), groups=2, **options)


CONVOLUTIONS = {
    "valid": ({"pad_type": "valid"}, lambda a: convolved(a, [0, 0, 0, 0])),
    "custom": (
        {"pad_type": "custom", "pad": [1, 2, 3, 0], "strides": [2, 1]},
        lambda a: convolved(a, [3, 0, 1, 2], stride=(2, 1)),
    ),
    # 9 rows by 2: 5 windows reach 11; 10 columns by 3: 4 windows of 4 reach 13
    "same": (
        {"pad_type": "same", "strides": [2, 3]},
        lambda a: convolved(a, [1, 2, 1, 1], stride=(2, 3)),
    ),
    "same_lower": (
        {"pad_type": "same_lower", "strides": [2, 3]},
        lambda a: convolved(a, [2, 1, 1, 1], stride=(2, 3)),
    ),
    "dilated": (
        {"pad_type": "custom", "pad": [2, 2, 3, 3], "dilations": [2, 2]},
        lambda a: convolved(a, [3, 3, 2, 2], dilation=2),
    ),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_conv(assert_agrees, name):
    options, expected = CONVOLUTIONS[name]
    assert_agrees(
        lambda a: mb.conv(x=a, weight=W, bias=BIAS, groups=2, **options), [X], expected, rtol=1e-4
    )


def test_conv_over_one_and_three_axes(assert_agrees):
    w1, w3 = draw(3, 4, 5), draw(2, 4, 2, 3, 1)
    assert_agrees(
        lambda a: mb.conv(x=a, weight=w1),
        [X[:, :, 0]],
        lambda a: F.conv1d(a, tensor(w1)),
        rtol=1e-4,
    )
    assert_agrees(
        lambda a: mb.conv(x=a, weight=w3),
        [draw(1, 4, 3, 5, 4)],
        lambda a: F.conv3d(a, tensor(w3)),
        rtol=1e-4,
    )


WT = draw(4, 3, 3, 3, seed=3)
TRANSPOSED = {
    "valid": ({"strides": [2, 2]}, {"stride": 2}),
    "custom": (
        {"pad_type": "custom", "pad": [1, 1, 1, 1], "strides": [2, 2]},
        {"stride": 2, "padding": 1},
    ),
    "output_shape": (
        {
            "pad_type": "custom",
            "pad": [1, 1, 1, 1],
            "strides": [2, 2],
            "output_shape": [2, 6, 18, 20],
        },
        {"stride": 2, "padding": 1, "output_padding": 1},
    ),
    "dilated": ({"dilations": [2, 1]}, {"dilation": (2, 1)}),
    # twice the size of a kernel of 3: one row to cut, the last
    "same": ({"pad_type": "same", "strides": [2, 2]}, {"stride": 2}),
}


@pytest.mark.parametrize("name", TRANSPOSED)
def test_conv_transpose(assert_agrees, name):
    options, torch_options = TRANSPOSED[name]

    def expected(a):
        full = F.conv_transpose2d(a, tensor(WT), tensor(BIAS), groups=2, **torch_options)
        return full[..., :18, :20] if name == "same" else full

    def function(a):
        return mb.conv_transpose(x=a, weight=WT, bias=BIAS, groups=2, **options)

    assert_agrees(function, [X], expected, rtol=1e-4)


A3, M1, M2 = draw(5, 7), draw(3, 1, 4, 7), draw(2, 7, 5, seed=4)
PRODUCTS = {
    "linear": (
        lambda a: mb.linear(x=a, weight=M1[0, 0], bias=BIAS[:4]),
        [A3],
        lambda a: F.linear(a, tensor(M1[0, 0]), tensor(BIAS[:4])),
    ),
    "matmul": (lambda a, b: mb.matmul(x=a, y=b), [M1, M2], torch.matmul),
    "matmul_transposed": (
        lambda a, b: mb.matmul(x=a, y=b, transpose_x=True, transpose_y=True),
        [M1.swapaxes(-1, -2).copy(), M2.swapaxes(-1, -2).copy()],
        lambda a, b: a.mT @ b.mT,
    ),
    "einsum": (
        lambda a, b: mb.einsum(values=(a, b), equation="nchw,nwhu->nchu"),
        [draw(2, 3, 1, 4), draw(2, 4, 5, 6)],
        lambda a, b: torch.einsum("nchw,nwhu->nchu", a.expand(2, 3, 5, 4), b),
    ),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(assert_agrees, name):
    function, arrays, expected = PRODUCTS[name]
    assert_agrees(function, arrays, expected, rtol=1e-4)


def test_attention(assert_agrees):
    import coremltools as ct

    q, k, v, mask = draw(2, 3, 4, 8), draw(2, 3, 5, 8), draw(2, 3, 5, 6), draw(4, 5)

    def function(a, b, c, d):
        plain = mb.scaled_dot_product_attention(query=a, key=b, value=c, attn_mask=d)
        some = mb.greater(x=d, y=-0.5)
        return plain, mb.scaled_dot_product_attention(query=a, key=b, value=c, attn_mask=some)

    def expected(a, b, c, d):
        attend = F.scaled_dot_product_attention
        return attend(a, b, c, d), attend(a, b, c, d > -0.5)

    assert_agrees(
        function, [q, k, v, mask], expected, target=ct.target.iOS18, folds=False, rtol=1e-4
    )


G, V = draw(4), np.abs(draw(4, seed=5)) + 1
NORMALISATIONS = {
    "batch_norm": (
        lambda a: mb.batch_norm(x=a, mean=G, variance=V, gamma=V, beta=G, epsilon=1e-3),
        lambda a: F.batch_norm(a, tensor(G), tensor(V), tensor(V), tensor(G), eps=1e-3),
    ),
    "batch_norm_plain": (
        lambda a: mb.batch_norm(x=a, mean=G, variance=V),
        lambda a: F.batch_norm(a, tensor(G), tensor(V)),
    ),
    "instance_norm": (
        lambda a: mb.instance_norm(x=a, gamma=G, beta=V, epsilon=1e-3),
        lambda a: F.instance_norm(a, weight=tensor(G), bias=tensor(V), eps=1e-3),
    ),
    "layer_norm": (
        lambda a: mb.layer_norm(x=a, axes=[-1], gamma=X[0, 0, 0], beta=X[0, 0, 1], epsilon=1e-3),
        lambda a: F.layer_norm(a, [10], tensor(X[0, 0, 0]), tensor(X[0, 0, 1]), eps=1e-3),
    ),
    "layer_norm_over_channels": (
        lambda a: mb.layer_norm(x=a, axes=[1], epsilon=1e-3),
        lambda a: F.layer_norm(a.movedim(1, -1), [4], eps=1e-3).movedim(-1, 1),
    ),
    "l2_norm": (
        lambda a: mb.l2_norm(x=a, epsilon=1e-3),
        lambda a: a / (a.square().sum((1, 2, 3), keepdim=True) + 1e-3).sqrt(),
    ),
    "local_response_norm": (
        lambda a: mb.local_response_norm(x=a, size=3, alpha=0.5, beta=0.6, k=2.0),
        lambda a: F.local_response_norm(a, 3, 0.5, 0.6, 2.0),
    ),
}


@pytest.mark.parametrize("name", NORMALISATIONS)
def test_normalisation(assert_agrees, name):
    function, expected = NORMALISATIONS[name]
    assert_agrees(function, [X], expected, rtol=1e-4)


REDUCTIONS = {
    "reduce_l1_norm": lambda a: a.abs().sum((1, -1), keepdim=True),
    "reduce_l2_norm": lambda a: a.square().sum((1, -1), keepdim=True).sqrt(),
    "reduce_log_sum": lambda a: a.sum((1, -1), keepdim=True).log(),
    "reduce_log_sum_exp": lambda a: a.logsumexp((1, -1), keepdim=True),
    "reduce_max": lambda a: a.amax((1, -1), keepdim=True),
    "reduce_mean": lambda a: a.mean((1, -1), keepdim=True),
    "reduce_min": lambda a: a.amin((1, -1), keepdim=True),
    "reduce_prod": lambda a: a.prod(1, keepdim=True).prod(-1, keepdim=True),
    "reduce_sum": lambda a: a.sum((1, -1), keepdim=True),
    "reduce_sum_square": lambda a: a.square().sum((1, -1), keepdim=True),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reduction(assert_agrees, name):
    reduce, expected, array = getattr(mb, name), REDUCTIONS[name], np.abs(X)
    assert_agrees(lambda a: reduce(x=a, axes=[1, -1], keep_dims=True), [array], expected, rtol=1e-4)
    assert_agrees(
        lambda a: reduce(x=a, axes=[1, 3]),
        [array],
        lambda a: expected(a).squeeze((1, 3)),
        rtol=1e-4,
    )


def test_reduction_to_a_number(assert_agrees):
    assert_agrees(lambda a: mb.reduce_max(x=a), [X], lambda a: a.max(), folds=False)


def test_arguments_of_extremes(assert_agrees):
    assert_agrees(lambda a: mb.reduce_argmax(x=a, axis=1), [X], lambda a: a.argmax(1))
    assert_agrees(
        lambda a: mb.reduce_argmin(x=a, axis=-1, keep_dims=True),
        [X],
        lambda a: a.argmin(-1, keepdim=True),
    )


def test_float16_sums_are_accumulated_in_float32(evaluate):
    array = np.full((1, 8, 8192), 1.001, np.float16)  # a float16 sum would stop at 2048
    (result,) = evaluate(lambda a: mb.reduce_mean(x=a, axes=[-1]), [array])
    np.testing.assert_array_equal(result, array[:, :, 0])
