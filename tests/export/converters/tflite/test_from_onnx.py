"""The route to TFLite through ONNX: reached when litert-torch fails, and right by itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affnet.artifact import Artifact, TensorSpec
from affnet.errors import ConversionError
from affnet.export.converters import ConversionRequest
from affnet.export.converters.tflite import converter
from affnet.export.converters.tflite.converter import TfliteConverter
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.export.verification.compare import verify_held_out
from affnet.export.verification.subject import Subject
from affnet.model.layers import ACTIVATIONS, ConvLayer
from affnet.model.source import load_source
from affnet.runtimes.litert import LiteRtRuntime
from tests.tiny import noise, tiny_net, tiny_source

pytestmark = [pytest.mark.converters, pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")]


@pytest.fixture
def no_litert_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> bytes:
        raise ConversionError("litert-torch cannot convert it: planted")

    monkeypatch.setattr(converter, "_converted", fail)


@pytest.fixture
def bridge_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TfliteConverter, "routes", ("ONNX",))


def assert_proven(artifact: Artifact) -> None:
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.max_rel_error <= 5e-5  # on the worst of its pictures
    operators = LiteRtRuntime.operators(artifact.path)
    assert not [name for name in operators if name.startswith("custom")]


@pytest.mark.usefixtures("no_litert_torch")
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_a_failing_first_route_falls_back_to_onnx_and_says_so(layout: str, tmp_path: Path) -> None:
    steps: list[str] = []
    options = ExportOptions("tflite", layout=layout)
    artifact = export_artifact(tiny_source(), options, tmp_path, steps.append)
    manifest = artifact.manifest
    assert manifest.route == "ONNX"
    assert [(f["fft"], f["route"], f["reason"]) for f in manifest.fallbacks] == [
        (fft, "torch.export", "litert-torch cannot convert it: planted")
        for fft in ("auto", *TfliteConverter.plans)
    ]
    assert any("Trying --fft auto by ONNX in fp32 instead" in step for step in steps)
    assert_proven(artifact)
    expected = (1, 32, 32, 3) if layout == "NHWC" else (1, 3, 32, 32)
    assert (manifest.inputs[0].shape, manifest.inputs[0].layout) == (expected, layout)


@pytest.mark.usefixtures("bridge_only")
def test_the_held_out_images_get_pytorch_s_classes(tmp_path: Path) -> None:
    options = ExportOptions("tflite", layout="NHWC")
    artifact = export_artifact(load_source("digits"), options, tmp_path)
    assert_proven(artifact)
    agreement = verify_held_out(Subject.of(artifact), load_source("digits"))
    assert agreement.agreeing == agreement.images == 1000


@pytest.mark.usefixtures("bridge_only")
def test_it_has_the_other_normalisation(tmp_path: Path) -> None:
    source = dataclasses.replace(tiny_source(), model=tiny_net(attn_norm="layer_norm"))
    assert_proven(export_artifact(source, ExportOptions("tflite"), tmp_path))


@pytest.mark.usefixtures("bridge_only")
@pytest.mark.parametrize("fft", ["separable", "right", "dense"])
def test_it_has_every_plan(fft: str, tmp_path: Path) -> None:
    artifact = export_artifact(tiny_source(), ExportOptions("tflite", fft=fft), tmp_path)
    assert set(artifact.manifest.fft_plan.values()) == {fft}
    assert_proven(artifact)


class Convolutions(nn.Module):
    """Strides, dilations, groups, multipliers and margins, each with and without a bias."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.parts = nn.Sequential(
            nn.Conv2d(4, 8, 3, stride=2, padding=1, bias=False),
            nn.Conv2d(8, 16, 3, padding=1, groups=8),
            nn.Conv2d(16, 12, (1, 3), padding=(0, 1), groups=4),
            nn.Conv2d(12, 12, (2, 3), padding=(0, 1)),
            nn.Conv2d(12, 6, 3, dilation=2, padding=2),
            nn.Conv2d(6, 6, (2, 4), padding=(1, 2), stride=(1, 2)),
            nn.Conv2d(6, 6, 2, padding=1, groups=6, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.parts(x)


class Shapes(nn.Module):
    """Broadcasts between layouts, products of two maps, parts, and reductions of each kind."""

    def forward(self, x: Tensor) -> Tensor:
        convolved = F.conv2d(x, torch.full((4, 4, 1, 1), 0.5))
        gate = convolved.mean((2, 3), keepdim=True).sigmoid() + x.mean((2, 3), keepdim=True)
        mixed = torch.cat((convolved * gate, x), dim=1) + torch.arange(8.0).reshape(8, 1)
        first, second = mixed.split([3, 5], dim=1)
        second = second[:, -3:] + mixed[:, 2:5, :, 1:-1].sum(-1, keepdim=True)
        product = torch.softmax(first @ first.transpose(-1, -2), dim=-1).sum(1)
        normed = F.layer_norm(product, (8,), torch.full((8,), 2.0), torch.ones(8))
        return normed + convolved.amax(1) - second.mean(1).abs().sqrt()


class Activated(nn.Module):
    """A convolution for each activation, on values of both signs, beyond where any saturates."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(ConvLayer(4, 2, 1, activation=name) for name in ACTIVATIONS)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([layer(5 * x) for layer in self.layers], dim=1)


class Vectors(nn.Module):
    """A batch norm of vectors, which have no layout."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.norm = nn.BatchNorm1d(4)
        self.norm.running_mean, self.norm.running_var = torch.randn(4), torch.rand(4) + 0.5

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.sum((2, 3)).relu())


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("kind", [Convolutions, Shapes, Activated, Vectors])
def test_its_operators_compute_what_torch_s_do(
    kind: type[nn.Module], layout: str, tmp_path: Path
) -> None:
    network, x = kind().eval(), noise(1, 4, 8, 8)
    with torch.no_grad():
        expected = network(x).numpy()
    taken = TensorSpec("input", tuple(x.shape), "float32", "NCHW")
    given = TensorSpec("output", expected.shape, "float32")
    if layout == "NHWC" and expected.ndim == 4:
        expected = expected.transpose(0, 2, 3, 1)
    request = ConversionRequest(
        "net", (taken,), (given,), "fp32", "ONNX", native_fft=False, layout=layout
    )
    conversion = TfliteConverter().convert(network, request, tmp_path)

    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(conversion.path), num_threads=1)
    interpreter.allocate_tensors()
    feed = x.permute(0, 2, 3, 1) if layout == "NHWC" else x
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], feed.contiguous().numpy())
    interpreter.invoke()
    (output,) = interpreter.get_output_details()
    np.testing.assert_allclose(
        interpreter.get_tensor(output["index"]), expected, atol=1e-5, rtol=1e-5
    )


@pytest.mark.usefixtures("bridge_only")
def test_what_it_does_not_know_is_named(tmp_path: Path) -> None:
    class Determinant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.det(x)

    taken = TensorSpec("input", (1, 2, 2), "float32")
    request = ConversionRequest("net", (taken,), (taken,), "fp32", "ONNX", native_fft=False)
    with pytest.raises(ConversionError, match=r"^The ONNX operator Det of net has no counterpart"):
        TfliteConverter().convert(Determinant(), request, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("bridge_only")
@pytest.mark.parametrize("name", ["affnet_et", "mobilevit_xxs"])
def test_published_networks_agree(name: str, tmp_path: Path) -> None:
    options = ExportOptions("tflite", image_size=(128, 128))
    assert_proven(export_artifact(load_source(name), options, tmp_path))
