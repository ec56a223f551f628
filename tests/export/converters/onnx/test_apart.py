"""torch's exporter by TorchScript tried in a process of its own."""

from __future__ import annotations

import signal
import sys

import pytest
import torch
from torch import Tensor, nn

from affnet.artifact import TensorSpec
from affnet.errors import ConversionError
from affnet.export.converters import ConversionRequest
from affnet.export.converters.onnx import apart
from affnet.export.converters.tflite.from_onnx import convert_through_onnx
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS

pytestmark = [*THIRD_PARTY_WARNINGS]

SPEC = TensorSpec("input", (1, 4), "float32")
REQUEST = ConversionRequest(
    "net", (SPEC,), (TensorSpec("output", (1, 4), "float32"),), "fp32", "ONNX", False
)


class Net(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.exp() + 1


class Refused(nn.Module):
    """torch.onnx raises for its operator, and does not crash."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.special.bessel_j0(x)


class Chosen(nn.Module):
    """torch.export refuses it."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def ending(code: str) -> list[str]:
    """Return a command that runs ``code``, and takes whatever follows."""
    return [sys.executable, "-c", code]


@pytest.mark.slow
def test_the_process_exports_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []
    run = apart.run_tool
    monkeypatch.setattr(apart, "run_tool", lambda *given: ended.append(run(*given)) or ended[-1])
    apart.try_torchscript(Net(), REQUEST, 20)
    apart.try_torchscript(Refused(), REQUEST, 20)
    assert [one.code for one in ended] == [0, 1]
    assert "bessel_j0" in "".join(ended[1].lines)


def test_a_crash_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    code = f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})"
    monkeypatch.setattr(apart, "module_command", lambda _: ending(code))
    with pytest.raises(ConversionError, match=r"crashes on net by TorchScript \(SIGSEGV\)"):
        convert_through_onnx(Net(), REQUEST)


def test_what_is_raised_is_left_to_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "module_command", lambda _: ending("raise SystemExit(1)"))
    apart.try_torchscript(Net(), REQUEST, 20)
    monkeypatch.setattr(apart, "module_command", lambda _: pytest.fail("called"))
    apart.try_torchscript(Chosen(), REQUEST, 20)
