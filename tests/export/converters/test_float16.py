"""Files of float16 from a network that float16 alone does not hold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from torch import Tensor, nn

from affnet.artifact import Arrays, TensorSpec
from affnet.export.converters import ConversionRequest, get_converter
from affnet.export.fourier.rewrite import rewrite_program
from affnet.runtimes.coreml import CoreMLRuntime
from affnet.runtimes.onnx_rounded import RoundedSession
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS

_SHAPE = (1, 2, 16, 16)

pytestmark = THIRD_PARTY_WARNINGS


class LogSpectrum(nn.Module):
    """The log of a power spectrum, which overflows and, below 1e-10, vanishes; then a layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Conv2d(2, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        power = torch.fft.rfft2(x).abs().square()
        return self.layer(torch.log(torch.clamp(power, min=1e-10)))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return LogSpectrum().eval()


@pytest.fixture(scope="module")
def samples() -> tuple[Arrays, ...]:
    noise = np.random.default_rng(0).standard_normal(_SHAPE).astype(np.float32)
    return tuple((noise * np.float32(size),) for size in (1, 1e-6, 255, 0))


def request(samples: tuple[Arrays, ...]) -> ConversionRequest:
    taken = TensorSpec("input", _SHAPE, "float32")
    given = TensorSpec("output", (1, 2, 16, 9), "float32")
    return ConversionRequest(
        "net", (taken,), (given,), "fp16", "torch.export", native_fft=False, samples=samples
    )


def rewritten(network: nn.Module) -> nn.Module:
    program = torch.export.export(network, (torch.zeros(_SHAPE),))
    return rewrite_program(program, half=True).program.module()


def errors(session, network, samples) -> list[float]:
    found = []
    for sample in samples:
        with torch.inference_mode():
            expected = network(*map(torch.from_numpy, sample)).numpy()
        (actual,) = session.run(*sample)
        found.append(float(np.abs(actual - expected).max() / np.abs(expected).max()))
    return found


def check_report(details: dict[str, object]) -> None:
    found = json.loads(json.dumps(details["float16"]))
    assert found["largest"] <= 65504 / 2
    assert found["headroom"] == pytest.approx(65504 / found["largest"], rel=0.01)
    reasons = {
        kept["operator"].split()[0].lower(): kept["reason"] for kept in found["kept_float32"]
    }
    assert "log" in reasons
    assert any("1e-10 is lost" in reason for reason in reasons.values())
    assert any("float16 ends at 65,504" in reason for reason in reasons.values())
    assert "conv" not in reasons


def test_onnx(network, samples, tmp_path: Path) -> None:
    converter = get_converter("onnx")()
    made = converter.convert(rewritten(network), request(samples), tmp_path)
    assert max(errors(RoundedSession(made.path, 1), network, samples)) <= 1e-2
    check_report(made.details)
    # where two neighbours compute in float32 no cast stands between them
    graph = onnx.load(made.path).graph
    maker = {name: node for node in graph.node for name in node.output}
    log = next(node for node in graph.node if node.op_type == "Log")
    assert maker[log.input[0]].op_type in ("Clip", "Max")
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    conv = next(node for node in graph.node if node.op_type == "Conv")
    assert types[conv.input[1]] == TensorProto.FLOAT16


def test_onnx_without_samples_keeps_constants(network, samples, tmp_path: Path) -> None:
    converter = get_converter("onnx")()
    made = converter.convert(rewritten(network), request(()), tmp_path)
    kept = made.details["float16"]["kept_float32"]
    assert [entry["operator"].split()[0] for entry in kept] == ["Clip", "Log"]
    assert errors(RoundedSession(made.path, 1), network, samples[:1])[0] <= 1e-2


@pytest.mark.converters
def test_coreml(network, samples, tmp_path: Path) -> None:
    converter = get_converter("coreml")()
    made = converter.convert(rewritten(network), request(samples), tmp_path)
    assert max(errors(CoreMLRuntime.load(made.path, threads=1), network, samples)) <= 1e-2
    check_report(made.details)
    lines = [kept["operator"] for kept in made.details["float16"]["kept_float32"]]
    assert any("from test_float16.py:" in line for line in lines)
