"""Operators written anew: alone beside PyTorch, and in files of the formats that need them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from affnet.artifact import TensorSpec
from affnet.export.converters import ConversionRequest, get_converter
from affnet.export.operators import (
    activations,
    angles,
    indexing,
    logarithms,
    magnitudes,
    padding,
    quotients,
    replace_operators,
    statistics,
    windows,
)
from affnet.runtimes import runtime_for
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, Program

pytestmark = [*THIRD_PARTY_WARNINGS]

SPECIAL = [0.0, -0.0, 1.0, -1.0, 1e-30, -1e-30, 3e-9, 1e30, -1e30, 2.5, math.inf, -math.inf]
POINTS = torch.cartesian_prod(torch.tensor(SPECIAL), torch.tensor(SPECIAL)).T.contiguous()


def assert_same_numbers(actual: Tensor, expected: Tensor, tolerance: float = 2e-6) -> None:
    """Compare relative to each number; zeros have the same sign, and NaN stands beside NaN."""
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=0, equal_nan=True)
    zeros = expected == 0
    assert torch.equal(torch.signbit(actual[zeros]), torch.signbit(expected[zeros]))


def in_file(function: Callable[[Tensor], Tensor], x: Tensor, format_: str, folder: Path) -> Tensor:
    """Return what a file of ``function`` gives for ``x``; a random input is its example."""
    program = torch.export.export(Program(function), (torch.randn(x.shape),))
    network = replace_operators(program, format_).module()
    converter = get_converter(format_)
    request = ConversionRequest(
        "rules",
        (TensorSpec("input", tuple(x.shape), "float32"),),
        (TensorSpec("output", tuple(function(x).shape), "float32"),),
        "fp32",
        converter.routes[0],
        False,
    )
    path = converter().convert(network, request, folder).path
    (result,) = runtime_for(format_).load(path, threads=1).run(x.numpy())
    return torch.from_numpy(result)


def test_atan2_of_every_quadrant_zero_and_infinity() -> None:
    assert_same_numbers(angles.atan2(*POINTS), torch.atan2(*POINTS))
    points = torch.randn(2, 1000, generator=torch.Generator().manual_seed(0))
    assert_same_numbers(angles.atan2(*points), torch.atan2(*points.double()).float(), 1e-6)
    assert angles.atan2(torch.tensor(math.nan), torch.tensor(1.0)).isnan()


def test_atan2_has_no_quotient_beyond_float16() -> None:
    y, x = (
        torch.tensor([60000.0, 1e-4, -60000.0]).half(),
        torch.tensor([1e-4, -60000.0, -3e4]).half(),
    )
    expected = torch.atan2(y.double(), x.double())
    assert (angles.atan2(y, x) - expected).abs().max() < 4e-3


@pytest.mark.parametrize(
    "format_",
    [
        "onnx",
        *(
            pytest.param(name, marks=[pytest.mark.converters, pytest.mark.slow])
            for name in ("coreml", "tflite", "executorch")
        ),
    ],
)
def test_angles_and_logarithms_in_files(format_: str, tmp_path: Path) -> None:
    def each(x: Tensor) -> Tensor:
        results = torch.atan2(x[0], x[1]), torch.angle(x[0]), torch.log1p(x[0]), torch.expm1(x[0])
        return torch.stack(results)

    actual, expected = in_file(each, POINTS, format_, tmp_path), each(POINTS)
    assert_same_numbers(actual[:2], expected[:2])
    finite = POINTS[0].isfinite()  # LiteRT's logarithm of infinity is finite
    torch.testing.assert_close(
        actual[2:, finite], expected[2:, finite], rtol=2e-6, atol=0, equal_nan=True
    )


@pytest.mark.parametrize(
    ("rule", "operator"),
    [
        (angles.angle, torch.angle),
        (logarithms.log1p, torch.log1p),
        (logarithms.expm1, torch.expm1),
        (quotients.reciprocal, torch.reciprocal),
        (quotients.rsqrt, torch.rsqrt),
    ],
)
def test_elementwise_rules(
    rule: Callable[[Tensor], Any], operator: Callable[[Tensor], Any]
) -> None:
    x = torch.tensor([-2.0, -1.0, -0.5, -1e-5, -1e-10, 0.0, 1e-10, 1e-5, 0.3, 0.7, 90.0, math.nan])
    torch.testing.assert_close(rule(x), operator(x), rtol=1e-6, atol=0, equal_nan=True)


def test_rules_of_axes() -> None:
    x = torch.randn(2, 3, 8, 6, generator=torch.Generator().manual_seed(1))
    for axis, size, step in ((1, 2, 1), (-2, 4, 2), (3, 3, 3)):
        assert torch.equal(windows.unfold(x, axis, size, step), x.unfold(axis, size, step))
    expected = torch.diff(x, 2, -2, prepend=x[:, :, :1])
    assert torch.equal(windows.diff(x, 2, -2, x[:, :, :1]), expected)
    large = 1000 * x
    torch.testing.assert_close(activations.log_softmax(large, 1), large.log_softmax(1))
    torch.testing.assert_close(activations.gelu(x, "tanh"), F.gelu(x, approximate="tanh"))
    torch.testing.assert_close(statistics.over_named_axes(torch.std)(x), x.std())
    torch.testing.assert_close(statistics.with_mean(torch.var)(x, [1]), torch.var_mean(x, 1))


@pytest.mark.parametrize(
    "settings",
    [
        ((7, 10), (2, 2), (1, 1), (1, 0), (2, 3)),
        ((9, 11), (3, 2), (2, 3), (1, 2), (1, 2)),
        ((8, 9), (3, 4), (2, 1), (0, 1), (4, 5)),  # a step beyond the window, and a rest
        ((1, 50), (1, 10), (1, 1), (0, 0), (1, 4)),  # frames of a signal
    ],
)
def test_patches_are_added_up_as_by_torch(settings: tuple[tuple[int, int], ...]) -> None:
    size, kernel, dilation, padding, stride = settings
    counts = [
        (size[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1
        for i in (0, 1)
    ]
    x = torch.randn(2, 3 * math.prod(kernel), math.prod(counts))
    for patches in (x, x[0]):
        torch.testing.assert_close(windows.fold(patches, *settings), F.fold(patches, *settings))


def test_diagonals_are_torchs() -> None:
    x = torch.randn(2, 3, 4, 5)
    for arguments in ((0, 0, 1), (1, 1, 3), (-2, 2, -1), (2, 3, 1), (-1, 3, 2), (4, 0, 3)):
        torch.testing.assert_close(indexing.diagonal(x, *arguments), x.diagonal(*arguments))


def test_circular_padding_is_torchs() -> None:
    x = torch.randn(2, 3, 4, 5)
    for widths in ((1, 2), (0, 5), (3, 0, 1, 4), (2, 1, 0, 0)):
        expected = F.pad(x if len(widths) == 4 else x[0], widths, mode="circular")
        actual = padding.pad(x if len(widths) == 4 else x[0], widths, "circular")
        torch.testing.assert_close(actual, expected, rtol=0, atol=0)
    assert padding.pad(x, (1, 1), "reflect") is NotImplemented


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
def test_convolutions_padded_by_name_are_torchs() -> None:
    for axes, kernel, dilation in ((1, (4,), 2), (1, (3,), [1]), (2, (4, 3), [1, 2])):
        convolution = (F.conv1d, F.conv2d)[axes - 1]
        x, weight = torch.randn(1, 4, *(9, 8)[:axes]), torch.randn(6, 2, *kernel)
        for name in ("same", "valid"):
            rule = padding.convolution_padded_by_name(axes)
            actual = rule(x, weight, None, 1, name, dilation, 2)
            expected = convolution(x, weight, None, 1, name, dilation, 2)
            torch.testing.assert_close(actual, expected)


@pytest.mark.converters
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths:UserWarning")
def test_convolutions_padded_by_name_in_tflite(tmp_path: Path) -> None:
    row, plane = torch.ones(2, 2, 4) / 8, torch.ones(2, 2, 3, 2) / 6

    def convolved(x: Tensor) -> Tensor:
        planes = F.conv2d(x, plane, padding="same")
        return planes.sum(2) + F.conv1d(x.sum(2), row, padding="same")

    x = torch.randn(1, 2, 5, 7)
    actual = in_file(convolved, x, "tflite", tmp_path)
    torch.testing.assert_close(actual, convolved(x), rtol=1e-5, atol=1e-6)


def lengths(x: Tensor) -> tuple[Tensor, ...]:
    """Operators that neither coremltools nor torch.onnx has."""
    y = x.flip(-1)
    return (
        torch.hypot(1e25 * x, 1e25 * y) / 1e25,
        torch.fmax(torch.where(x > 0.5, torch.nan, x), y),
        torch.fmin(x, torch.where(x > 0.5, torch.nan, y)),
        torch.copysign(x, y),
        torch.copysign(x, -2),
    )


@pytest.mark.parametrize("format_", ["onnx", pytest.param("coreml", marks=pytest.mark.converters)])
def test_lengths_and_signs(format_: str, tmp_path: Path) -> None:
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(5))
    x.view(-1)[:2] = 0

    def all_(x: Tensor) -> Tensor:
        return torch.stack(lengths(x))

    actual = in_file(all_, x, format_, tmp_path)
    torch.testing.assert_close(actual, all_(x), rtol=1e-6, atol=1e-6)


def sums_of_multiples(x: Tensor) -> tuple[Tensor, ...]:
    """Sums that coremltools takes for plain ones, and one of ExecuTorch's too."""
    y = x.flip(-1)
    return (
        torch.add(x, y, alpha=2),
        torch.add(3, x, alpha=2),
        torch.add(x, 3, alpha=0.5),
        torch.sub(x, y, alpha=0.25),
        torch.sub(3, x, alpha=2),
        torch.rsub(x, y, alpha=2),
        torch.rsub(x, 3, alpha=2),
        torch.add(2, x),
    )


@pytest.mark.parametrize(
    "format_",
    [
        "onnx",
        pytest.param("coreml", marks=pytest.mark.converters),
        pytest.param("executorch", marks=[pytest.mark.converters, pytest.mark.slow]),
    ],
)
def test_sums_of_multiples(format_: str, tmp_path: Path) -> None:
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(5))

    def all_(x: Tensor) -> Tensor:
        return torch.stack(sums_of_multiples(x))

    actual = in_file(all_, x, format_, tmp_path)
    torch.testing.assert_close(actual, all_(x), rtol=1e-6, atol=1e-6)


def test_a_sign_of_zero_is_copied() -> None:
    signs = torch.tensor([0.0, -0.0, 3.0, -3.0, torch.inf, -torch.inf])
    assert magnitudes.copysign(torch.ones(6), signs).tolist() == [1, -1, 1, -1, 1, -1]


@pytest.mark.parametrize("function", [torch.asinh, torch.acosh])
def test_inverse_hyperbolic_functions_are_torchs(function: Callable[[Tensor], Tensor]) -> None:
    x = torch.tensor([0.0, 1e-30, 1e-4, 0.3, 1.0, 1 + 1e-6, 7.0, 1e5, 1e7, 1e30])
    x = torch.cat([x, -x])
    rule = getattr(logarithms, function.__name__)
    torch.testing.assert_close(rule(x), function(x), rtol=1e-6, atol=0, equal_nan=True)


def many(x: Tensor) -> Tensor:
    """Operators that coremltools gets wrong, or lacks, in one network."""
    results = (
        *(f(x.abs()) for f in (torch.log, torch.log2, torch.log10, torch.rsqrt)),
        *(f(x) for f in (torch.log1p, torch.expm1, torch.reciprocal)),
        torch.log_softmax(1e3 * x, -1),
        F.gelu(x, approximate="tanh"),
        torch.diff(x, dim=1),
        x.unfold(1, 2, 1),
        F.fold(x.reshape(2, 12, 4), (4, 4), 2, stride=2),
        F.fold(x.reshape(2, 12, 4), (3, 3), 2),
        ((x > 0) & (x < 1)).float(),
        ((x > 1) | (x < 0)).float(),
        ((x > 0) ^ (x < 1)).float(),
        torch.where(x > 0, x, -1.0),
        *torch.std_mean(x, 1),
        torch.sqrt(x**2),
        torch.trunc(2 * x),
        torch.fmod(x, 0.75),
        torch.fmod(x, x.flip(-1)),
        x.std(),
        *(f(x.transpose(1, 2)) for f in (torch.mean, torch.sum, torch.max, torch.min)),
        F.rms_norm(x, (4,)),
        torch.stack(((x.argmax(-1) - 2) // 2, x.argmax(-1) % 2), -1).float(),
        torch.div(x.argmax(-1) - 2, 3, rounding_mode="floor").float(),
        F.pad(x, (1, 2, 0, 1), mode="circular"),
        x.diagonal(1, 1, 3),
        x[0, 0].diagonal(),
        F.pad(x, (-1, 2, 1, -2), value=0.5),
        F.interpolate(x, scale_factor=1.7, mode="bilinear"),
        F.interpolate(x, size=(2, 3), mode="bilinear", antialias=True),
        F.interpolate(x, scale_factor=(0.6, 1.3), mode="bicubic", antialias=True),
        torch.lerp(x, x.flip(1), 0.3),
        torch.asinh(x * 1e8),
        torch.acosh(1 + x.abs()),
        torch.round(x, decimals=1),
        torch.cdist(x[0], x[1]),
        *lengths(x),
    )
    return torch.cat([result.reshape(-1) for result in results])


@pytest.mark.converters
@pytest.mark.slow
def test_operators_in_core_ml(tmp_path: Path) -> None:
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    x.view(-1)[:8] = torch.tensor([0.0, 1e-10, -1e-10, 1e-5, -1e-5, 30.0, -30.0, 1.0])
    actual, expected = in_file(many, x, "coreml", tmp_path), many(x)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5, equal_nan=True)
    small = slice(7 * 96 - 96 * 3, 7 * 96 - 96)  # log1p and expm1: relative to each number
    torch.testing.assert_close(actual[small], expected[small], rtol=2e-6, atol=0, equal_nan=True)


def test_attention_of_queries_without_keys_in_onnx(tmp_path: Path) -> None:
    mask = torch.ones(4, 4).tril(-1).bool()  # the first row has none

    def attended(x: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(x, x, x, mask)

    x = torch.randn(1, 2, 4, 3, generator=torch.Generator().manual_seed(3))
    actual, expected = in_file(attended, x, "onnx", tmp_path), attended(x)
    torch.testing.assert_close(actual, expected)
    assert not expected[:, :, 0].any()


def test_a_program_without_such_operators_is_left_as_it_is() -> None:
    program = torch.export.export(Program(lambda x: x.relu()), (torch.randn(2),))
    assert replace_operators(program, "coreml") is program


def _convolved_as_torchscript_does(x: Tensor) -> Tensor:
    sizes = ([1], [0], [1], False, [0], 1)
    settings = (False, False, True, True)  # of cuDNN
    y: Tensor = torch.ops.aten._convolution.default(
        x[None], torch.ones(2, 2, 3), None, *sizes, *settings
    )
    return y[0]


@pytest.mark.parametrize(
    "format_",
    [
        "onnx",
        *(
            pytest.param(name, marks=[pytest.mark.converters])
            for name in ("coreml", "tflite", "executorch")
        ),
    ],
)
def test_operators_under_other_names_in_files(format_: str, tmp_path: Path) -> None:
    aten = torch.ops.aten

    def each(x: Tensor) -> Tensor:
        parts = [
            *torch.unsafe_chunk(x, 2, 1),
            *aten.unsafe_split_with_sizes.default(x, [1, 2, 1], 1)[1:2],
            *aten.split_copy.Tensor(x, 2, 1),
            *aten.split_with_sizes_copy.default(x, [2, 2], 1),
            torch.stack(aten.unbind_copy.int(x, 1)[:2], 1),
            aten._reshape_alias.default(x, [4, 2], [2, 1])[:2],
            aten.narrow_copy.default(x, 1, 1, 2),
            aten.slice_copy.Tensor(x, 1, 2, 4),
            aten.select_copy.int(x, 0, 1).view(2, 2),
            aten.unfold_copy.default(x, 1, 2, 1)[:, 1],
            _convolved_as_torchscript_does(x),
        ]
        return torch.cat([part * number for number, part in enumerate(parts, 1)], 1)

    x = torch.randn(2, 4, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(in_file(each, x, format_, tmp_path), each(x))


@pytest.mark.converters
def test_what_coremltools_does_not_know_is_taken_apart(tmp_path: Path) -> None:
    def each(x: Tensor) -> Tensor:
        losses = F.l1_loss(x, x + 1), F.smooth_l1_loss(x, 2 * x), F.soft_margin_loss(x, -x)
        return torch.stack([*losses, torch.logaddexp(x, -x).sum(), torch.inner(x, x).sum()])

    x = torch.randn(2, 4, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(in_file(each, x, "coreml", tmp_path), each(x))


@pytest.mark.converters
def test_norms_over_all_axes_behind_a_transpose(tmp_path: Path) -> None:
    def norms(x: Tensor) -> Tensor:
        y = (x.transpose(1, 2) * 2).relu()
        return torch.stack([torch.linalg.vector_norm(y - 1), torch.norm(y, p=1)])

    x = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(in_file(norms, x, "coreml", tmp_path), norms(x))
