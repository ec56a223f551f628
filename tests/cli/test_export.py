"""``affnet export``: what it prints and writes where all is well, and where the result is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from affnet.artifact import Artifact, manifest_path
from affnet.export.converters.onnx.converter import OnnxConverter
from affnet.files import content_sha256
from tests.cli.conftest import contents
from tests.conftest import Finished

Run = Callable[..., Finished]

FIELDS = {
    "schema": int,
    "artifact": str,
    "format": str,
    "runtime": str,
    "max_abs_error": float,
    "max_rel_error": float,
    "psnr_db": float,
    "top1_agreement": float,
    "passed": bool,
    "fft_plan": dict,
    "route": str,
}


def test_a_real_export_prints_one_object_and_leaves_a_matching_pair(
    run: Run, workspace: Path
) -> None:
    done = run("export", "digits", "--json", "--quiet", "-o", workspace / "new" / "folder")
    assert done.code == 0
    assert done.err == ""
    record = done.json
    assert {name: type(record[name]) for name in FIELDS} == FIELDS
    path = workspace / "new" / "folder" / "digits.onnx"
    assert record["schema"] == 1
    assert record["artifact"] == str(path)
    assert (record["format"], record["runtime"]) == ("onnx", "onnxruntime")
    assert record["passed"] is True
    assert record["max_rel_error"] <= 1e-5
    assert record["psnr_db"] > 100
    assert record["top1_agreement"] == 1.0
    assert record["fft_plan"] == {"8x8": "dense", "4x4": "dense", "2x2": "dense"}
    assert sorted(contents(path.parent)) == ["digits.onnx", "digits.onnx.manifest.json"]
    manifest = json.loads(manifest_path(path).read_text())
    assert manifest["sha256"] == content_sha256(path)
    assert manifest["parity"]["max_rel_error"] == record["max_rel_error"]
    assert manifest["labels"] == list("0123456789")


@pytest.mark.usefixtures("instant_conversion")
def test_people_read_the_file_its_weights_its_plan_and_the_proof(run: Run, workspace: Path) -> None:
    done = run("export", "digits")
    assert done.code == 0
    lines = dict(line.split("  ", 1) for line in done.out.splitlines())
    found = {name: value.strip() for name, value in lines.items()}
    assert found["artifact"] == "digits.onnx (3.6 MB)"
    assert found["weights"] == "trained"
    assert found["FFT plan"] == "8x8 dense, 4x4 dense, 2x2 dense"
    assert found["verified"] == "agrees with PyTorch in onnxruntime, 8 images"
    assert " of the largest output, on " in found["largest error"]
    assert found["largest error"].endswith(" (1e-04 allowed)")
    assert found["top-1 agreement"] == "100 %"
    assert "Converting digits to onnx" in done.err
    assert (workspace / "digits.onnx").is_file()


@pytest.mark.usefixtures("instant_conversion", "workspace")
def test_no_verify_is_said_and_leaves_the_numbers_out(run: Run) -> None:
    human = run("export", "digits", "--no-verify")
    assert "verified  no (--no-verify)" in human.out
    record = run("export", "digits", "--no-verify", "--json").json
    assert record["passed"] is None
    assert record["max_rel_error"] is None
    assert Artifact.open(Path("digits.onnx")).manifest.parity is None


@pytest.mark.usefixtures("instant_conversion")
def test_an_export_that_disagrees_with_pytorch_fails_and_writes_nothing(
    refused: Callable[..., str],
    workspace: Path,
    other_digits: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(OnnxConverter, "plans", ("dense",))
    monkeypatch.setattr(OnnxConverter, "routes", ("torch.export",))  # it has nothing else to try
    (workspace / "other.onnx").write_text("what stood before")
    sentence = refused("export", other_digits, code=1)
    assert sentence.startswith("The exported other.onnx disagrees with PyTorch in fp32 on ")
    assert "of the largest output, 1e-04 is allowed; its PSNR is " in sentence


@pytest.mark.usefixtures("instant_conversion")
def test_notes_about_a_checkpoint_go_to_stderr_unless_quiet(run: Run, other_digits: Path) -> None:
    note = "Note: other.safetensors is affnet_et with 10 classes, swish, layer_norm_2d (config"
    assert note in run("export", other_digits, "--no-verify").err
    assert run("export", other_digits, "--no-verify", "--quiet").err == ""


def test_random_weights_are_told(run: Run, workspace: Path) -> None:
    done = run("export", "affnet_et", "--image-size", "32", "--format", "torch", "-o", workspace)
    assert done.code == 0
    assert "Note: affnet_et has random weights (seed 0); its outputs mean nothing." in done.err
    assert "weights          random (seed 0)" in done.out
    assert Artifact.open(workspace / "affnet_et.pt2").manifest.inputs[0].shape == (1, 3, 32, 32)


@pytest.mark.parametrize("command", ["export", "verify", "inspect", "bench"])
def test_help_of_each_command_has_an_example(run: Run, command: str) -> None:
    done = run(command, "--help")
    assert done.code == 0
    assert f"Example: affnet {command} " in done.out
    assert done.err == ""


def test_version_is_the_package_s(run: Run) -> None:
    assert run("--version").out == "affnet 0.1.0\n"
