"""Networks that raise on some of the inputs that files are verified on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from affnet.errors import UsageError
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.export.verification.reference import Reference
from affnet.model.source import load_source

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")


class OfPictures(nn.Module):
    """A measure of pictures, which takes numbers of 0..1."""

    def forward(self, x: Tensor) -> Tensor:
        assert x.max() <= 1, "Expected values of 0..1"
        return torch.fft.rfft2(x).abs()


class OfOne(nn.Module):
    def __init__(self, only: Tensor) -> None:
        super().__init__()
        self.register_buffer("only", only)

    def forward(self, x: Tensor) -> Tensor:
        assert torch.equal(x, self.only)
        return torch.fft.rfft(x).abs()


def pictures() -> tuple[nn.Module, Tensor]:
    return OfPictures(), torch.rand(1, 1, 8, 8)


def one() -> tuple[nn.Module, Tensor]:
    x = torch.ones(2, 8)
    return OfOne(x), x


def test_inputs_that_the_network_raises_on_are_left_out_and_said(tmp_path: Path) -> None:
    said: list[str] = []
    source = load_source(f"{__name__}:pictures")
    artifact = export_artifact(source, ExportOptions("onnx"), tmp_path, progress=said.append)
    rejected = artifact.manifest.details["rejected_inputs"]
    assert "Expected values of 0..1" in rejected["the example x 255"]
    assert not {"the example", "zeros", "uniform noise"} & set(rejected)
    assert artifact.manifest.parity is not None
    assert not set(rejected) & {each.name for each in artifact.manifest.parity.details}
    assert any("Not compared on" in line and "Expected values" in line for line in said)


class ButOne(nn.Module):
    """Takes all but one input."""

    def __init__(self, other: Tensor) -> None:
        super().__init__()
        self.register_buffer("other", other)

    def forward(self, x: Tensor) -> Tensor:
        assert not torch.equal(x, self.other), "Not this one"
        return torch.fft.rfft(x).abs()


@pytest.mark.parametrize("network", [OfOne, ButOne])
def test_its_example_and_two_others_it_must_take(network: type[nn.Module]) -> None:
    source = load_source(f"{__name__}:pictures")
    assert source.example is not None
    model = network(torch.from_numpy(source.example[0]))
    reference = Reference(dataclasses.replace(source, model=model))
    with pytest.raises(UsageError, match="fails on an input that it is verified on"):
        reference.usual_inputs(source.inputs, half=False)


def test_a_network_that_takes_its_example_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        export_artifact(load_source(f"{__name__}:one"), ExportOptions("onnx"), tmp_path)
