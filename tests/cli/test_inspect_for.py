"""``affnet inspect --for``: which operators would fall back on a device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from tests.conftest import Finished

Run = Callable[..., Finished]


def test_a_file_that_runs_as_a_whole(run: Run, digits_onnx: Artifact) -> None:
    done = run("inspect", digits_onnx.path, "--for", "webgpu")
    assert done.code == 0, done.err
    text = " ".join(done.out.split())
    assert "for webgpu 100 % webgpu of " in text
    assert "onnxruntime-web 1.30.0 (https://unpkg.com/onnxruntime-web@1.30.0/" in text
    assert "would fall back" not in text
    record = run("inspect", digits_onnx.path, "--for", "webgpu", "--json").json
    assert record["prediction"]["share"] == 1
    assert record["prediction"]["changes"] == {}
    assert "prediction" not in run("inspect", digits_onnx.path, "--json").json


@pytest.mark.converters
def test_a_fallback_is_named_with_what_to_change(run: Run, tmp_path: Path) -> None:
    from tests.runtimes.tflite_files import write_chain

    file = write_chain(tmp_path / "chain.tflite", ["RELU", "LOG_SOFTMAX", "NEG"])
    text = " ".join(run("inspect", file, "--for", "xnnpack").out.split())
    assert "for xnnpack 66 % xnnpack, 1 on CPU of 3 operators" in text
    assert "fall back 1 LOG_SOFTMAX (LiteRT's XNNPACK delegate has no LOG_SOFTMAX, t2)" in text
    assert "what to change LOG_SOFTMAX: end the network at the logits" in text
    assert "tested against LiteRT" in text


@pytest.mark.converters
def test_executorch_s_file_has_decided(run: Run, tiny_pte: Artifact) -> None:
    text = " ".join(run("inspect", tiny_pte.path, "--for", "xnnpack").out.split())
    assert "for xnnpack 100 % xnnpack of " in text
    assert "the file: it was decided when the file was exported" in text


def test_what_cannot_be_predicted_is_one_sentence(run: Run, digits_onnx: Artifact) -> None:
    done = run("inspect", digits_onnx.path, "--for", "tflite-gpu")
    assert done.code == 2
    assert "tflite-gpu runs tflite files, and " in done.error
    assert done.error.endswith("is of the format onnx; choose --for webgpu.")
    done = run("inspect", digits_onnx.path, "--for", "gpu")
    assert done.code == 2
    assert (
        "Unknown target 'gpu'; valid: coreml-ane, nnapi, tflite-gpu, webgpu, xnnpack" in done.error
    )
