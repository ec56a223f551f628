"""How far float32 determines what PyTorch computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from affnet.export.verification.reference import outputs_of, uncertainties, widened


class Angle(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.rfft(x).angle()


class Angle2(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.rfft2(x).angle()


class Spectrum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.view_as_real(torch.fft.rfft(x))


class Normalised(nn.Module):
    """Each row without its mean, at unit length."""

    def forward(self, x: Tensor) -> Tensor:
        x = x - x.mean(-1, keepdim=True)
        return x / x.norm(dim=-1, keepdim=True)


class Picked(nn.Module):
    """The places of numbers by their order."""

    def __init__(self, pick: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.pick = pick

    def forward(self, x: Tensor) -> Tensor:
        return self.pick(x)


class RunningSums(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.cumsum(-1)


class InHalf(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.half().float()


class Float32Only(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        assert x.dtype is torch.float32
        return x * 2


def spread(network: nn.Module, array: np.ndarray) -> np.ndarray:
    array = np.asarray(array, np.float32)
    with torch.no_grad():
        outputs = [output.numpy() for output in outputs_of(network(torch.from_numpy(array)))]
    (found,) = next(uncertainties(widened(network), (array,), outputs))
    return found


def test_a_linear_network_is_determined_to_a_few_roundings() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
    weight = network[0].weight.clone()
    found = spread(network, np.random.default_rng(0).random((1, 3, 9, 9)))
    assert 0 < found.max() < 2e-6
    assert network[0].weight.dtype == torch.float32
    assert torch.equal(network[0].weight, weight)


def test_angles_are_determined_but_beside_the_cut() -> None:
    signal = np.random.default_rng(0).standard_normal((1, 16))
    assert spread(Angle(), signal).max() < 1e-5  # those of the real bins, 0 or pi, included
    tone = np.cos(2 * np.pi * 3 * np.arange(15) / 15)[None]  # its other bins are roundings
    found = spread(Angle(), tone)[0]
    assert found[3] < 1e-4
    assert (np.delete(found, [0, 3]) > 0.1).all()


def test_the_sign_of_a_zero_is_open_where_axes_are_transformed_together() -> None:
    image = np.random.default_rng(0).random((1, 8, 8))
    image[0, 1] += 9  # at the highest frequency over rows the value is -9 and some
    found = spread(Angle2(), image)[0]
    real = found[[0, 0, 4, 4], [0, 4, 0, 4]]  # frequencies whose value is real
    assert real.max() > 6
    others = np.delete(found.ravel(), [0, 4, 4 * 5, 4 * 5 + 4])
    assert others.max() < 1e-4


def test_a_transform_is_as_open_as_a_plain_sum_of_its_terms_leaves_it() -> None:
    terms = np.cos(2 * np.pi * np.outer(np.arange(151), np.arange(300)) / 300).astype(np.float32)
    error = abs(np.cumsum(terms, axis=1, dtype=np.float32)[1:, -1])  # one by one; exactly zero
    found = spread(Spectrum(), np.ones((1, 300)))[0, 1:, 0]
    assert error.max() < 2 * found.max() < 40 * error.max()


@pytest.mark.parametrize("kind", [nn.Conv1d, nn.Linear])
def test_a_long_product_is_as_open_as_a_plain_sum_of_its_terms_leaves_it(kind: type) -> None:
    """A constant-Q transform of a constant signal: 8,000 terms that cancel."""
    terms = torch.cos(2 * torch.pi * torch.arange(8000) * 3 / 8000) + 1e-3
    error = abs(np.cumsum(terms.numpy(), dtype=np.float32)[-1] - terms.double().sum().item())
    network = nn.Conv1d(1, 1, 8000, bias=False) if kind is nn.Conv1d else nn.Linear(8000, 1)
    with torch.no_grad():
        network.weight.copy_(terms.view(network.weight.shape))
    found = spread(network, np.ones((1, 1, 8000))).max()
    assert error < 2 * found < 200 * error


def test_long_products_cost_no_more_for_being_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a resampler's 36 million weights: they are neither changed nor summed in each run."""
    drawn, absolute = list[int](), list[int]()
    rand, magnitude = torch.rand, torch.abs

    def counted(shape: torch.Size, **options: Any) -> Tensor:
        drawn.append(shape.numel())
        return rand(shape, **options)

    def noted(value: Tensor) -> Tensor:
        absolute.append(value.numel())
        return magnitude(value)

    monkeypatch.setattr(torch, "rand", counted)
    monkeypatch.setattr(torch, "abs", noted)
    network = nn.Conv1d(1, 50, 600, stride=600)
    found = spread(network, np.random.default_rng(0).random((1, 1, 1200)))
    assert max(drawn) == 1200 < network.weight.numel()
    assert absolute.count(network.weight.numel()) == 1
    assert 0 < found.max() < 1e-4


def test_what_a_transform_has_exactly_stays_so() -> None:
    signal = np.random.default_rng(0).standard_normal((1, 16))
    assert spread(Spectrum(), signal)[0, [0, 8], 1].max() == 0  # a real signal's real bins
    assert spread(Spectrum(), np.zeros((1, 16))).max() == 0  # silence


@pytest.mark.parametrize(
    ("pick", "first"),
    [
        (lambda x: x.topk(3, -1).indices, [0, 1, 2]),
        (lambda x: x.topk(3, 0, largest=False).indices, [0, 1, 2]),
        (lambda x: x.sort(descending=True).indices, range(20)),
        (lambda x: x.kthvalue(4).indices, 0),
        (lambda x: x.median(-1, keepdim=True).indices, [0]),
    ],
)
def test_the_order_of_equal_numbers_is_open(pick: Callable[[Tensor], Tensor], first: Any) -> None:
    equal = np.zeros(20)
    by_torch = pick(torch.zeros(20)).numpy()
    assert np.all(spread(Picked(pick), equal) >= np.abs(by_torch - np.array(first)))
    assert spread(Picked(pick), np.arange(20)).max() == 0


def test_the_first_of_equal_numbers_is_taken_where_pytorch_says_so() -> None:
    assert spread(Picked(lambda x: x.argmax(-1)), np.zeros(20)) == 0


def test_cancellation_leaves_everything_open() -> None:
    constant = np.full((1, 10), 0.1)
    assert spread(Normalised(), constant).max() > 0.1
    assert spread(Normalised(), np.arange(10.0)[None]).max() < 1e-6


def test_no_finite_number_is_open_without_bound() -> None:
    assert np.isinf(spread(Normalised(), np.zeros((1, 10)))).all()


def test_types_that_the_network_names_are_kept_or_widened() -> None:
    assert spread(InHalf(), np.ones((1, 3))).max() < 1e-3


def test_a_network_for_float32_only_leaves_nothing_open() -> None:
    assert spread(Float32Only(), np.ones((1, 3))).max() == pytest.approx(0)


def test_running_sums_are_open_by_what_each_addition_rounds() -> None:
    """A file adds them up in float32, one after the other; PyTorch does so in float64."""
    signal = np.random.default_rng(0).random((64, 4096)).astype(np.float32)
    found = spread(RunningSums(), signal)[:, -1]
    one_by_one = np.cumsum(signal, axis=-1, dtype=np.float32)[:, -1]
    error = np.abs(one_by_one - signal.astype(np.float64).sum(-1))
    assert np.median(found) > np.median(error)
    assert found.max() < 4096 * 2.0**-24 * signal.sum(-1).max()  # the sum of all roundings
