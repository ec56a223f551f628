"""``affnet verify``: agreement in numbers, and exit code 1 where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from affnet.artifact import Artifact, manifest_path
from affnet.export.verification import compare
from affnet.model.bundled import bundled_folder
from tests.cli.conftest import copy_artifact, damage, edit_manifest
from tests.cli.test_export import FIELDS
from tests.conftest import Finished

Run = Callable[..., Finished]
Refused = Callable[..., str]


def test_every_held_out_image_gets_pytorch_s_class(run: Run, digits_onnx: Artifact) -> None:
    done = run("verify", digits_onnx.path, "--held-out", "--json", "--quiet")
    assert (done.code, done.err) == (0, "")
    record = done.json
    assert {name: type(record[name]) for name in FIELDS} == FIELDS
    assert record["passed"] is True
    held_out = record["held_out"]
    assert (held_out["images"], held_out["agreeing"]) == (1000, 1000)
    assert held_out["top1"] == held_out["top1_pytorch"] == pytest.approx(0.989)
    assert held_out["max_rel_error"] < 1e-5


def test_a_held_out_image_of_another_class_fails(
    run: Run, digits_onnx: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreement = compare.HeldOutAgreement(1000, 999, 0.989, 0.989, 1e-6)
    monkeypatch.setattr(compare, "verify_held_out", lambda *_: agreement)
    done = run("verify", digits_onnx.path, "--held-out", "--json", "--quiet")
    assert (done.code, done.json["passed"]) == (1, False)
    assert done.json["held_out"]["agreeing"] == 999


def test_people_read_the_verdict(run: Run, digits_onnx: Artifact) -> None:
    done = run("verify", digits_onnx.path)
    assert done.code == 0
    assert "agrees with PyTorch in onnxruntime, 8 images" in done.out
    assert done.err == f"Running {digits_onnx.path} and comparing it with PyTorch\n"


def test_other_weights_disagree_with_exit_code_1(
    run: Run, onnx_copy: Path, other_digits: Path
) -> None:
    done = run("verify", onnx_copy, "--against", other_digits)
    assert done.code == 1
    assert "DISAGREES with PyTorch in onnxruntime, 8 images" in done.out
    assert "Error" not in done.err
    record = run("verify", onnx_copy, "--against", other_digits, "--json").json
    assert record["passed"] is False
    assert record["max_rel_error"] > 0.1
    assert record["top1_agreement"] < 0.5


def test_a_checkpoint_that_stayed_is_found_again_and_one_that_changed_is_refused(
    run: Run, refused: Refused, onnx_copy: Path, other_digits: Path
) -> None:
    """The manifest names the checkpoint, its settings and its SHA-256."""
    from affnet.model.source import load_source

    provenance = load_source(str(other_digits)).provenance
    fields = {
        "kind": provenance.kind,
        "location": provenance.location,
        "weights": provenance.weights,
        "sha256": provenance.sha256,
        "settings": provenance.settings,
    }
    edit_manifest(onnx_copy, provenance=fields)
    assert run("verify", onnx_copy).code == 1  # it was reloaded, and is another network

    edit_manifest(onnx_copy, provenance={**fields, "sha256": "0" * 64})
    assert f"has changed since {onnx_copy} was exported from it" in refused("verify", onnx_copy)
    other_digits.unlink()
    sentence = refused("verify", onnx_copy)
    assert sentence == (
        f"{onnx_copy} was exported from other.safetensors, which is neither where it was nor "
        "beside it; copy it there, or name it: --against PATH of affnet verify and eval."
    )


def test_a_source_with_another_class_count_is_refused(refused: Refused, onnx_copy: Path) -> None:
    assert refused("verify", onnx_copy, "--against", "affnet_et") == (
        "copy.onnx has 10 classes and affnet_et 1000; "
        "compare it with the source it was exported from."
    )


def test_held_out_images_need_the_bundled_source(
    refused: Refused, workspace: Path, onnx_copy: Path
) -> None:
    checkpoint = workspace / "mine.safetensors"
    shutil.copy(bundled_folder("digits") / "weights.safetensors", checkpoint)
    sentence = refused("verify", onnx_copy, "--against", checkpoint, "--held-out")
    assert sentence == (
        f"--held-out needs a bundled source (digits, emoji) to compare with, not {checkpoint.name}."
    )


def test_a_damaged_program_whose_manifest_matches_is_refused_in_one_sentence(
    refused: Refused, workspace: Path, digits_pt2: Artifact
) -> None:
    path = copy_artifact(digits_pt2, workspace / "copy.pt2")
    damage(path, path.read_bytes()[:1_000_000])
    for command in ("verify", "inspect"):
        assert refused(command, path) == f"{path} is damaged or no exported program."


def test_a_file_without_a_manifest_is_compared_with_a_source(run: Run, onnx_copy: Path) -> None:
    manifest_path(onnx_copy).unlink()
    done = run("verify", onnx_copy, "--against", "digits", "--held-out", "--quiet")
    assert (done.code, done.err) == (0, "")
    assert "fp32, as the file says (it has no manifest)" in done.out
    assert "agrees with PyTorch in onnxruntime, 8 images" in done.out
    assert "1000 of 1000" in done.out
    record = run("verify", onnx_copy, "--against", "digits", "--json", "--quiet").json
    assert (record["passed"], record["format"]) == (True, "onnx")
    assert record["file_bytes"] == onnx_copy.stat().st_size


def test_a_damaged_file_without_a_manifest_is_one_sentence(
    refused: Refused, onnx_copy: Path
) -> None:
    manifest_path(onnx_copy).unlink()
    onnx_copy.write_bytes(onnx_copy.read_bytes()[:1000])
    sentence = refused("verify", onnx_copy, "--against", "digits")
    assert sentence == f"{onnx_copy} is damaged or no ONNX file."


@pytest.mark.parametrize("path", [".", "/", "x" * 300 + ".onnx"])
def test_a_path_that_can_be_no_file_is_one_sentence(refused: Refused, path: str) -> None:
    for arguments in (("verify", path), ("verify", path, "--against", "digits"), ("inspect", path)):
        assert refused(*arguments).startswith(path)
