"""``affnet inspect``: what an artifact holds."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

from affnet.artifact import Artifact, manifest_path
from tests.conftest import Finished

Run = Callable[..., Finished]


def test_the_object_holds_operators_inputs_and_cost(run: Run, digits_onnx: Artifact) -> None:
    done = run("inspect", digits_onnx.path, "--json")
    assert (done.code, done.err) == (0, "")
    record = done.json
    assert record["schema"] == 1
    assert record["format"] == "onnx"
    assert record["file_bytes"] == digits_onnx.path.stat().st_size
    assert record["inputs"] == [
        {"name": "image", "shape": [1, 3, 64, 64], "dtype": "float32", "layout": "NCHW"}
    ]
    assert record["outputs"] == [{"name": "logits", "shape": [1, 10], "dtype": "float32"}]
    assert record["task"] == "classification"
    assert record["fft_plan"] == {"8x8": "dense", "4x4": "dense", "2x2": "dense"}
    assert record["precision"] == "fp32"
    assert record["delegated_share"] is None
    assert record["operators"]["Gemm"] == 1
    assert not {"DFT", "STFT", "Loop", "Scan"} & record["operators"].keys()
    assert (record["parameters"], record["weights"]) == (865_034, "trained")
    assert record["labels"] == list("0123456789")
    assert set(record["tools"]) == {"affnet", "torch", "onnx", "onnxscript", "onnxsim"}


def test_operators_are_ordered_by_their_count(run: Run, tiny_pt2: Artifact) -> None:
    counts = list(run("inspect", tiny_pt2.path, "--json").json["operators"].values())
    assert counts == sorted(counts, reverse=True)


def test_people_read_the_same_in_words(run: Run, digits_onnx: Artifact) -> None:
    out = run("inspect", digits_onnx.path).out
    for text in (
        f"{digits_onnx.path} (3.6 MB)",
        "onnx, opset 18",
        "image 1x3x64x64 float32 NCHW",
        "logits 1x10 float32",
        "classification",
        "0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
        "0.87 M",
        "8x8 dense, 4x4 dense, 2x2 dense",
        "Gemm 1",
        "made with",
    ):
        assert text in out


def test_details_within_details_are_words_too(
    run: Run, digits_onnx: Artifact, tmp_path: Path
) -> None:
    path = tmp_path / "digits.onnx"
    shutil.copy(digits_onnx.path, path)
    found = {"float16": {"largest": 736.7, "operators": ["add", "mul"]}}
    manifest = dataclasses.replace(digits_onnx.manifest, details=found)
    manifest_path(path).write_text(manifest.to_json())
    assert "onnx, float16 (largest 736.7, operators [add, mul])" in run("inspect", path).out
