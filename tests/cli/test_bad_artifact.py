"""Artifacts at odds with their manifests: every command refuses them alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from affnet.artifact import manifest_path
from tests.cli.conftest import damage, edit_manifest
from tests.conftest import Finished

Refused = Callable[..., str]
COMMANDS = ("verify", "inspect", "bench")


def test_verify_has_nothing_to_compare_a_file_without_manifest_with(
    refused: Refused, onnx_copy: Path
) -> None:
    manifest_path(onnx_copy).unlink()
    assert refused("verify", onnx_copy) == (
        f"{onnx_copy} has no manifest (copy.onnx.manifest.json should stand beside it); "
        "copy it along, or export again with: affnet export SOURCE (a file of another tool is "
        "compared by: affnet verify FILE --against SOURCE)"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_manifest_of_another_file_is_refused(
    refused: Refused, onnx_copy: Path, command: str
) -> None:
    with onnx_copy.open("ab") as file:
        file.write(b"\0")
    assert refused(command, onnx_copy) == (
        f"copy.onnx.manifest.json does not match {onnx_copy}: the file was changed or replaced "
        "after the export; export it again."
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (b"{'a': 1}", "Expecting property name enclosed in double quotes"),
        (b"\xff\xfe", "'utf-8' codec can't decode byte 0xff"),
        (b"[]", "it has no schema number"),
        (b"{}", "it has no schema number"),
        (b'{"schema": 2}', "its schema is 2, this version reads 1"),
        (b'{"schema": 1, "model": "x"}', "format: field required"),
    ],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_manifest_is_refused_with_the_reason(
    refused: Refused, onnx_copy: Path, content: bytes, reason: str, command: str
) -> None:
    path = manifest_path(onnx_copy)
    path.write_bytes(content)
    sentence = refused(command, onnx_copy)
    assert sentence.startswith(f"{path} is not a manifest of affnet: {reason}")
    assert sentence.endswith("; export the model again.")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("model", 7, "model: "),
        ("format", ["onnx"], "format: "),
        ("sha256", {}, "sha256: "),
        ("inputs", "image", "inputs: "),
        ("inputs", [], "it names no input or no output"),
        ("inputs", [1], "inputs.0: "),
        ("inputs", [{"name": "image", "dtype": "float32"}], "inputs.0.shape: field required"),
        ("inputs", [{"name": "i", "dtype": "f", "shape": [1.5]}], "inputs.0.shape.0"),
        (
            "inputs",
            [{"name": "i", "dtype": "f", "shape": [1], "range": [0]}],
            "inputs.0.range.1: field required",
        ),
        (
            "inputs",
            [{"name": "i", "dtype": "float32", "shape": [1, 3, 10**6, 10**6]}],
            "inputs.0: [1, 3, 1000000, 1000000] is no shape of an image or of an output",
        ),
        (
            "inputs",
            [{"name": "i", "dtype": "float32", "shape": [1, -3]}],
            "inputs.0: [1, -3] is no",
        ),
        ("inputs", [{"name": "i", "dtype": "O", "shape": [1]}], "inputs.0: 'O' is no type of num"),
        ("inputs", [{"name": "i", "dtype": "f128", "shape": [1]}], "inputs.0: 'f128' is no type"),
        ("outputs", {"name": "logits"}, "outputs: "),
        ("labels", [0, 1], "labels.0: "),
        ("fft_plan", ["dense"], "fft_plan: "),
        ("fft_plan", {"8x8": 1}, "fft_plan.8x8: "),
        ("details", "opset 18", "details: "),
        ("provenance", "digits", "provenance: "),
        ("provenance", {"kind": "bundled"}, "provenance.location: field required"),
        ("parameters", "many", "parameters: "),
        ("parity", {"passed": True}, "parity.max_abs_error: field required"),
    ],
)
def test_a_field_of_the_wrong_type_is_named(
    refused: Refused, onnx_copy: Path, field: str, value: Any, reason: str
) -> None:
    edit_manifest(onnx_copy, **{field: value})
    for command in COMMANDS[1:]:
        sentence = refused(command, onnx_copy)
        assert f"is not a manifest of affnet: {reason}" in sentence


def test_a_format_that_no_runtime_executes_is_refused(refused: Refused, onnx_copy: Path) -> None:
    edit_manifest(onnx_copy, format="tfjs")
    for command in COMMANDS[:2]:
        assert refused(command, onnx_copy) == (
            "No runtime executes artifacts of the format 'tfjs'."
        )
    assert refused("bench", onnx_copy) == ("No runtime executes artifacts of the format 'tfjs'.")


def test_fields_that_a_later_version_adds_are_ignored(
    run: Callable[..., Finished], onnx_copy: Path
) -> None:
    fields = json.loads(manifest_path(onnx_copy).read_text())
    fields["inputs"][0]["colour"] = "RGB"
    fields["provenance"]["commit"] = "abc"
    edit_manifest(onnx_copy, **fields, signature="none")
    assert run("inspect", onnx_copy, "--json").json["inputs"][0]["shape"] == [1, 3, 64, 64]


@pytest.mark.parametrize("kept_bytes", [1_000_000, 100])
def test_a_damaged_file_whose_manifest_matches_is_rejected_by_its_runtime(
    refused: Refused, onnx_copy: Path, kept_bytes: int
) -> None:
    damage(onnx_copy, onnx_copy.read_bytes()[:kept_bytes])
    assert refused("inspect", onnx_copy) == f"{onnx_copy} is damaged or no ONNX file."
    for command in ("verify", "bench"):
        sentence = refused(command, onnx_copy)
        assert sentence.startswith(f"ONNX Runtime rejects {onnx_copy}: ")
        assert "\n" not in sentence
