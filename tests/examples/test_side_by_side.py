"""The example of the Python interface, as it is started."""

from __future__ import annotations

import sys

import pytest

from affnet.artifact import Artifact

import side_by_side  # isort: skip


def start(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["side_by_side.py", *arguments])
    side_by_side.main()


def test_it_proves_and_measures(
    digits_onnx: Artifact, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start(monkeypatch, str(digits_onnx.path), "--device", "fake")
    proof, time = capsys.readouterr().out.splitlines()
    assert proof.startswith(f"{digits_onnx.path}: agrees, error ")
    assert time.startswith("digits: median ")


def test_what_is_wrong_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"missing\.onnx does not exist\. make it with: affnet"):
        start(monkeypatch, "missing.onnx")
