"""The short-time transform: frames by a strided convolution that holds window and first stage."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from affnet.errors import RewriteError
from affnet.export.fourier.rewrite import framed, rewrite_program
from affnet.model.capture.recording import record
from affnet.silence import silenced
from tests.export.fourier.rewriting import (
    THIRD_PARTY_WARNINGS,
    Program,
    assert_same,
    relative_error,
    rewrite,
)

pytestmark = THIRD_PARTY_WARNINGS

aten = torch.ops.aten


def targets(program: torch.export.ExportedProgram) -> set[object]:
    return {node.target for node in program.graph.nodes}


@pytest.mark.parametrize(
    ("size", "step", "shape"),
    [
        (400, 160, (2, 4000)),
        (256, 64, (3, 2, 2000)),
        (96, 24, (500,)),
        (128, 128, (1, 1024)),
        (64, 80, (2, 900)),
        (101, 10, (2, 1000)),
        (240, 77, (2, 3000)),
        (2, 1, (2, 9)),
    ],
)
def test_frames_of_any_size_and_step(size: int, step: int, shape: tuple[int, ...]) -> None:
    window = torch.rand(size, dtype=torch.float64)

    def function(x: Tensor) -> Tensor:
        return torch.fft.rfft(window * x.unfold(-1, size, step), norm="ortho")

    assert_same(function, torch.randn(*shape, dtype=torch.float64))


@pytest.mark.parametrize("settings", [{}, {"center": False}, {"win_length": 200}])
def test_stft_is_one_convolution_and_one_product(settings: dict[str, object]) -> None:
    class Spectrogram(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            length = int(settings.get("win_length", 400))  # type: ignore[call-overload]
            window = torch.hann_window(length, dtype=torch.float64)
            z = torch.stft(x, 400, 160, window=window, return_complex=True, **settings)
            return z.abs() ** 2

    result = assert_same(Spectrogram(), torch.randn(2, 8000, dtype=torch.float64))
    nodes = [n.target for n in result.program.graph.nodes if n.op == "call_function"]
    assert nodes.count(aten.conv1d.default) == nodes.count(aten.matmul.default) == 1
    assert nodes.count(aten.transpose.int) == 1  # of the signal; none of the frames
    assert not {aten.unfold.default, aten.cat.default, aten.sqrt.default} & set(nodes)


@pytest.mark.parametrize("shape", [(2, 1000), (1000,), (1, 3, 1000)])
def test_frames_by_strides_are_cut_and_not_picked(shape: tuple[int, ...]) -> None:
    def function(x: Tensor) -> Tensor:
        sizes, strides = [*shape[:-1], 30, 64], [*x.stride()[:-1], 32, 1]
        return torch.fft.rfft(x.as_strided(sizes, strides) * torch.hann_window(64).double())

    result = assert_same(function, torch.randn(*shape, dtype=torch.float64))
    assert aten.index_select.default not in targets(result.program)
    picked = assert_same(
        lambda x: torch.fft.fft(x.as_strided((2, 3, 64), (1000, 32, 1), 5)),
        torch.randn(2, 1000, dtype=torch.float64),
    )
    assert aten.index_select.default in targets(picked.program)  # not all frames, nor the first


def test_as_many_frames_from_beyond_the_argument_are_refused() -> None:
    def function(x: Tensor) -> Tensor:
        return torch.fft.rfft(x[:, 4:36].as_strided((3, 7, 8), (40, 4, 1), 0))

    with pytest.raises(RewriteError, match=r"reaches beyond its argument"):
        assert_same(function, torch.randn(3, 40, dtype=torch.float64))


def test_the_stft_of_a_recording_is_as_that_of_a_program() -> None:
    def spectrogram(x: Tensor) -> Tensor:
        window = torch.hann_window(400, dtype=torch.float64)
        return torch.stft(x, 400, 160, window=window, return_complex=True).abs()

    x = torch.randn(2, 8000, dtype=torch.float64)
    with silenced():  # torch warns that this machine has no GPU of Intel's
        recorded = record(Program(spectrogram), (x,), {}).network
    result = assert_same(recorded, x)
    nodes = [n.target for n in result.program.graph.nodes if n.op == "call_function"]
    assert nodes.count(aten.conv1d.default) == nodes.count(aten.matmul.default) == 1


@pytest.mark.parametrize(("size", "bins", "last"), [(256, 16, 3), (1024, 300, 3)])
def test_only_the_bins_that_are_read_are_computed(size: int, bins: int, last: int) -> None:
    def function(x: Tensor) -> Tensor:
        window = torch.hann_window(size, dtype=torch.float64)
        z = torch.fft.rfft(x.unfold(-1, size, size // 4) * window)
        return torch.cat((z[..., 3:bins], z[..., -last:]), -1).imag

    result = assert_same(function, torch.randn(2, 8000, dtype=torch.float64))
    constants = {name.split("_")[-1]: t for name, t in result.program.constants.items()}
    if "roots" in constants:
        rows, columns = constants["roots"].shape
        assert rows < columns  # of the k2, some are not asked for
    else:
        assert constants["kernels"].shape[0] == 2 * (bins - 3 + last)


@pytest.mark.parametrize("bins", [(0, 2049), (500, 2049)])
def test_long_frames_are_transformed_in_three_stages(bins: tuple[int, int]) -> None:
    window = torch.hann_window(4096, dtype=torch.float64)

    def function(x: Tensor) -> Tensor:
        z = torch.fft.rfft(x.unfold(-1, 4096, 1024) * window)
        return torch.view_as_real(z[..., slice(*bins)])

    result = assert_same(function, torch.randn(2, 20_000, dtype=torch.float64))
    constants = {name.split("_")[-1]: t for name, t in result.program.constants.items()}
    assert "middle" in constants
    assert sum(t.numel() for t in constants.values()) < 500_000  # the product has 16 million


@pytest.mark.parametrize(
    ("split", "bins"),
    [((1, 8), (2, 11)), ((3, 2), (0, 49)), ((2, 4), (30, 49)), ((4, 6), (2, 11))],
)
def test_every_way_to_factor_frames(
    split: tuple[int, int], bins: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    window = torch.rand(96, dtype=torch.float64)
    monkeypatch.setattr(framed, "_splits", lambda *_: [framed.Split(*split)])
    monkeypatch.setattr(framed, "_by_frames", lambda *_: math.inf)

    def function(x: Tensor) -> Tensor:
        return torch.fft.rfft(x.unfold(-1, 96, 24) * window)[..., slice(*bins)]

    result = assert_same(function, torch.randn(2, 400, dtype=torch.float64))
    nodes = [n.target for n in result.program.graph.nodes if n.op == "call_function"]
    assert nodes.count(aten.matmul.default) == (1 if split[0] == 1 else 2)


def test_a_window_that_is_an_input_or_changes_is_no_constant() -> None:
    x, window = torch.randn(2, 2000, dtype=torch.float64), torch.rand(64, dtype=torch.float64)

    def given(x: Tensor, window: Tensor) -> Tensor:
        return torch.fft.rfft(x.unfold(-1, 64, 16) * window)

    other = x.flip(-1), window * 2
    assert_same(given, x, window, others=other)

    class Changing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("window", window.clone())

        def forward(self, x: Tensor) -> Tensor:
            self.window.mul_(0.5)  # type: ignore[operator]
            return torch.fft.rfft(x.unfold(-1, 64, 16) * self.window)

    module = Changing()
    program = rewrite(module, x).program.module()
    expected = [torch.view_as_real(Changing()(x)), torch.view_as_real(Changing()(x)) / 2]
    assert relative_error([program(x), program(x)], expected) <= 1e-10


def test_a_step_that_is_no_divisor_makes_the_frames_first() -> None:
    window = torch.hann_window(2048, dtype=torch.float64)

    def function(x: Tensor) -> Tensor:
        return torch.fft.rfft(x.unfold(-1, 2048, 441) * window).abs()

    result = assert_same(function, torch.randn(1, 20_000, dtype=torch.float64))
    assert aten.conv1d.default in targets(result.program)


def test_any_length_and_other_runtimes_take_frames() -> None:
    window = torch.hann_window(64)

    def function(x: Tensor) -> Tensor:
        return torch.fft.rfft(x.unfold(-1, 64, 16) * window).abs()

    x = torch.randn(1, 2000)
    program = torch.export.export(Program(function), (x,))
    for runtime, is_convolved in (("onnxruntime", True), ("litert", False)):
        rewritten = rewrite_program(program, runtime=runtime).program
        assert (aten.conv1d.default in targets(rewritten)) == is_convolved
        assert relative_error(rewritten.module()(x), function(x)) <= 1e-5


def test_zero_and_nyquist_bins_are_exactly_real() -> None:
    def function(x: Tensor) -> Tensor:
        return torch.fft.rfft(x.unfold(-1, 400, 160)).angle()

    x = -torch.rand(2, 4000)
    angles = rewrite(Program(function), x).program.module()(x)
    expected = function(x)
    for bin_ in (0, 200):
        torch.testing.assert_close(angles[..., bin_], expected[..., bin_])
