"""Networks of public packages, as their users build them; `pip install 'affnet[zoo]'` has six."""

from __future__ import annotations

import importlib
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.model.source import load_source
from benchmarks.public_networks import NETWORKS, ZOO
from benchmarks.public_networks import __main__ as script
from benchmarks.public_networks.attempt import (
    FAILED,
    NOT_BUILT,
    REFUSED,
    RIGHT,
    Attempt,
    _calls_of,
    export,
    stored_bytes,
)
from benchmarks.public_networks.registry import PublicNetwork

PACKAGES = ("neuralop", "vocos", "fft_conv_pytorch", "torch", "transformers", "torchlibrosa")


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("ignore")  # the packages' own
@pytest.mark.parametrize(("name", "package"), [*zip(ZOO, PACKAGES, strict=True)])
def test_public_networks_become_small_and_right_files(
    name: str, package: str, tmp_path: Path
) -> None:
    try:
        importlib.import_module(package)
    except (ImportError, OSError) as error:  # a torchaudio of another build of torch
        pytest.skip(f"{package} is not installed ({error}); affnet[zoo] has it")
    network = NETWORKS[name]
    options = ExportOptions("onnx", precision="fp32")
    artifact = export_artifact(load_source(network.source), options, tmp_path)
    parity = artifact.manifest.parity
    assert parity is not None and parity.passed
    assert artifact.path.stat().st_size <= stored_bytes(network.build()[0]) + 5_000_000


def test_short_calls_are_timed_in_groups() -> None:
    assert _calls_of(lambda: None) > 10
    assert _calls_of(lambda: time.sleep(0.01), seconds=0.005) == 1


def test_attempts_say_what_is_refused_and_what_is_not_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing() -> Any:
        raise ModuleNotFoundError("No module named 'nowhere'")

    monkeypatch.setitem(NETWORKS, "missing", PublicNetwork("missing", "nowhere 1", missing))
    refused = export("periods", "onnx", timed=False)
    assert refused.result == REFUSED
    assert "series.py" in refused.message and "topk" in refused.message
    assert export("missing", "onnx", timed=False) == Attempt(
        "missing", "onnx", NOT_BUILT, "ModuleNotFoundError: No module named 'nowhere'"
    )


def test_what_ends_in_a_traceback_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    built = PublicNetwork("identity", "torch", lambda: (nn.Identity(), torch.ones(2)))
    monkeypatch.setitem(NETWORKS, "nowhere", built)  # its module has no such function

    def stops(_: str) -> Any:
        raise KeyError("input_1")

    monkeypatch.setattr("benchmarks.public_networks.attempt.load_source", stops)
    attempt = export("nowhere", "onnx", timed=False)
    assert attempt.result == FAILED and attempt.message.endswith("KeyError: 'input_1'\n")


def test_a_run_goes_on_and_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tried: list[tuple[str, str]] = []

    def attempted(name: str, format_: str, **_: Any) -> Attempt:
        tried.append((name, format_))
        if (name, format_) == ("hyena", "tflite"):
            return Attempt(name, format_, REFUSED, "no such operator")
        return Attempt(name, format_, RIGHT, "", 1e-6, 0.2, "torch.export")

    monkeypatch.setattr(script, "in_own_process", attempted)
    asked = ["--only", "hyena", "cepstrum", "--record", str(tmp_path / "record.jsonl")]
    script.main([*asked, "--formats", "onnx"])
    script.main([*asked, "--formats", "onnx", "tflite"])
    assert len(tried) == 4
    printed = capsys.readouterr().out
    assert "| onnx | 2 | 2 | 0 | 0 | 0 | 2 of 2 |" in printed
    assert "| tflite | 2 | 1 | 1 | 0 | 0 | 1 of 2 |" in printed
    assert printed.endswith("hyena, tflite, refused: no such operator\n")
    script.main([*asked, "--formats", "tflite", "--again"])
    assert tried[4:] == [("hyena", "tflite")]
