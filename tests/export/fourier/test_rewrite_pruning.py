"""Transforms of which little is read, or little is not zero: only that is computed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from affnet.export.fourier.rewrite import convolution, ranges
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS, Program, assert_same, rewrite

pytestmark = THIRD_PARTY_WARNINGS

aten = torch.ops.aten


def spectral(shape: tuple[int, ...], modes: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    """Return neuralop's spectral convolution: modes at both ends of all axes but the last."""
    dims = tuple(range(-len(modes), 0))

    def function(x: Tensor) -> Tensor:
        z = torch.fft.rfftn(x, dim=dims)
        out = torch.zeros(z.shape, dtype=z.dtype)
        for corner in range(2 ** (len(modes) - 1)):
            box = [slice(None), slice(None)]
            for axis, kept in enumerate(modes[:-1]):
                box.append(slice(-kept, None) if corner >> axis & 1 else slice(kept))
            kept_box = (*box, slice(modes[-1]))
            out[kept_box] = z[kept_box] * (1 + corner - 2j)
        return torch.fft.irfftn(out, s=shape, dim=dims)

    return function


def centered(x: Tensor) -> Tensor:
    """The same by fftshift, as neuralop has it since 1.0."""
    z = torch.fft.fftshift(torch.fft.rfftn(x, dim=(-2, -1)), dim=-2)
    out = torch.zeros(z.shape, dtype=z.dtype)
    out[:, :, 4:12, :5] = z[:, :, 4:12, :5] * 2j
    return torch.fft.irfftn(torch.fft.ifftshift(out, dim=-2), s=x.shape[-2:])


@pytest.mark.parametrize(
    ("function", "shape", "kept"),
    [
        (spectral((64,), (9,)), (2, 3, 64), 64 * 9),
        (spectral((16, 24), (3, 5)), (2, 3, 16, 24), 24 * 5),
        (spectral((8, 12, 16), (2, 3, 4)), (1, 2, 8, 12, 16), 12 * 6 * 2),
        (centered, (1, 2, 16, 16), 16 * 8),
    ],
    ids=["1d", "2d", "3d", "shifted"],
)
def test_spectral_layers(
    function: Callable[[Tensor], Tensor], shape: tuple[int, ...], kept: int
) -> None:
    result = assert_same(function, torch.randn(*shape, dtype=torch.float64))
    sizes = [t.numel() for name, t in result.program.constants.items() if "dft" in name]
    assert max(sizes) <= 2 * kept
    targets = {node.target for node in result.program.graph.nodes}
    assert aten.slice_scatter.default not in targets


def test_padded_and_cropped_convolution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "_by_transforms", lambda *_: 0.0)  # else no transforms
    kernel = torch.randn(16, dtype=torch.float64)

    def function(x: Tensor) -> Tensor:
        z = torch.fft.rfft(x, n=32) * torch.fft.rfft(kernel, n=32)
        return torch.fft.irfft(z, n=32)[..., :16]

    result = assert_same(function, torch.randn(3, 16, dtype=torch.float64))
    shapes = {tuple(t.shape) for name, t in result.program.constants.items() if "dft" in name}
    assert shapes == {(17, 16), (16, 34)}  # bins x samples; samples x both parts of bins


def test_a_batch_that_is_not_known() -> None:
    class Layer(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            z = torch.fft.rfft2(x)
            kept = torch.nn.functional.pad(z[..., :3, :2], (0, 47, 0, 5))
            return torch.fft.irfft2(kept, s=(8, 96)) + torch.fft.fft(x).abs()

    x = torch.randn(3, 2, 8, 96, dtype=torch.float64)
    options = {"dynamic_shapes": ({0: Dim("batch", min=2)},)}
    assert_same(Layer(), x, others=(torch.cat((x, x)),), **options)


def random_graph(seed: int) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Return a chain of transforms, cuts, writes, pads, shifts and joins on a random tensor."""
    choose = random.Random(seed)  # noqa: S311

    def cut(z: Tensor) -> Tensor:
        axis = choose.randrange(z.dim())
        start = choose.randrange(z.shape[axis])
        return z.narrow(axis, start, choose.randint(1, z.shape[axis] - start))

    def written(z: Tensor) -> Tensor:
        axis = choose.randrange(z.dim())
        more = choose.randint(0, 4)
        shape = [n + more * (a == axis) for a, n in enumerate(z.shape)]
        out = torch.zeros(shape, dtype=z.dtype)
        at = choose.randint(0, more)
        out.narrow(axis, at, z.shape[axis]).copy_(z)
        if choose.random() < 0.3:
            out.select(axis, choose.randrange(shape[axis])).copy_(z.select(axis, 0))
        return out

    def padded(z: Tensor) -> Tensor:
        amounts = [choose.randint(-1, 3) for _ in range(2)]
        return z if z.shape[-1] + sum(amounts) < 1 else torch.nn.functional.pad(z, amounts)

    def transformed(z: Tensor) -> Tensor:
        length = choose.choice([None, choose.randint(1, 20)])
        return torch.fft.fft(z, length, choose.randrange(z.dim()), norm="ortho")

    def halved(z: Tensor) -> Tensor:
        return torch.fft.irfft(z, choose.randint(2, 14), choose.randrange(z.dim()), norm="ortho")

    steps = [
        cut, cut, written, padded, transformed, transformed, halved,
        lambda z: torch.fft.rfft(z.real if z.is_complex() else z, norm="ortho"),
        lambda z: z.roll(choose.randint(-2, 2), choose.randrange(z.dim())),
        lambda z: torch.cat((z, torch.zeros_like(z), 2 * z), choose.randrange(z.dim())),
        lambda z: z.transpose(0, -1) * 1j,
        lambda z: z.conj() + z,
        lambda z: z[..., 0] if z.dim() > 2 else z,
    ]  # fmt: skip

    def function(x: Tensor) -> Tensor:
        choose.seed(seed + 1)  # the same choices in every run
        z = x
        for _ in range(choose.randint(3, 9)):
            z = choose.choice(steps)(z)
            if z.numel() > 20_000:
                z = z[tuple(slice(0, 6) for _ in z.shape)]
        return z

    generator = torch.Generator().manual_seed(seed)
    shape = [choose.randint(1, 9) for _ in range(choose.randint(2, 4))]
    return function, torch.randn(shape, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("seed", [*range(4), 26])  # 26 views what does not lie together
def test_random_graphs(seed: int) -> None:
    function, x = random_graph(seed)
    assert_same(function, x, tolerance=1e-9)


@pytest.mark.exhaustive
def test_a_thousand_random_graphs() -> None:
    for seed in range(1000):
        function, x = random_graph(seed)
        assert_same(function, x, tolerance=1e-9)


def of_indices(numbers: Iterable[int]) -> ranges.Ranges:
    return ranges.united(*(((number, number + 1),) for number in numbers))


@pytest.mark.parametrize("seed", range(20))
def test_sets_of_indices(seed: int) -> None:
    choose = random.Random(seed)  # noqa: S311
    numbers = [sorted(choose.sample(range(12), choose.randint(0, 12))) for _ in range(2)]
    one, other = (of_indices(each) for each in numbers)
    start, stop = sorted(choose.choices(range(13), k=2))
    assert ranges.indices(one).tolist() == numbers[0]
    assert ranges.united(one, other) == of_indices({*numbers[0], *numbers[1]})
    inside = [n - start for n in numbers[0] if start <= n < stop]
    assert ranges.within(one, start, stop) == of_indices(inside)
    outside = [n for n in numbers[0] if not start <= n < stop]
    assert ranges.indices(ranges.without(one, start, stop)).tolist() == outside
    assert ranges.position(one, start) == sum(n < start for n in numbers[0])
    assert ranges.count(one) == len(numbers[0])


def test_what_nothing_reads_is_not_computed() -> None:
    def function(x: Tensor) -> Tensor:
        return torch.fft.fft2(x)[..., 3, :2].abs()

    graph = rewrite(Program(function), torch.randn(2, 8, 8)).program.graph
    operators = aten.linear.default, aten.matmul.default
    products = [node.meta["val"] for node in graph.nodes if node.target in operators]
    assert max(product.numel() for product in products) <= 2 * 8 * 2
