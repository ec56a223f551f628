"""``affnet verify --from-images``: from a picture's file to its class, beside PyTorch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from affnet.artifact import Artifact, manifest_path
from tests.cli.conftest import Finished
from tests.package import networks, pictures

Run = Callable[..., Finished]


@pytest.fixture
def digits(digits_onnx: Artifact, workspace: Path) -> Path:
    """A trained network's file, and a folder of pictures beside it."""
    shutil.copy(digits_onnx.path, workspace)
    shutil.copy(manifest_path(digits_onnx.path), workspace)
    pictures.synthetic(workspace / "seen" / "3", 22)
    pictures.bad(workspace / "seen" / "3")
    return workspace / digits_onnx.path.name


def test_pixels_logits_and_classes_are_compared_and_other_resizers_tried(
    digits: Path, run: Run
) -> None:
    finished = run("verify", digits, "--from-images", "seen", "--json")
    assert finished.code == 0, finished.err
    found = json.loads(finished.out)
    assert found["passed"] is True
    assert len(found["images"]) == 22
    assert {one["pixel_difference"] for one in found["images"]} == {0}
    assert all(one["label"] == one["label_pytorch"] for one in found["images"])
    assert max(one["max_rel_error"] for one in found["images"]) <= found["tolerance"]
    assert len(found["skipped"]) == 9
    assert found["top1"] is not None
    resizers = {one["resizer"]: one for one in found["resizers"]}
    assert len(resizers) == 8
    pytorch = resizers["PyTorch, antialias=True"]
    assert pytorch["mean_difference"] < 0.5 < resizers["OpenCV, INTER_NEAREST"]["mean_difference"]


def test_a_manifest_that_states_other_pixels_than_training_fails(digits: Path, run: Run) -> None:
    artifact = Artifact.open(digits)
    contract = replace(artifact.pixel_contract(), interpolation="bilinear")
    networks.rewrite(artifact, preprocessing=contract)
    finished = run("verify", digits, "--from-images", "seen")
    assert finished.code == 1
    assert "bilinear" in finished.out
    assert "they differ on" in finished.out


def test_a_folder_without_pictures_is_refused(digits: Path, run: Run) -> None:
    (digits.parent / "none").mkdir()
    finished = run("verify", digits, "--from-images", "none")
    assert (finished.code, finished.error) == (2, "none holds no image that can be decoded.")
    finished = run("verify", digits, "--from-images", "missing")
    assert (finished.code, finished.error) == (2, "missing is no folder of pictures.")
    finished = run("verify", digits, "--from-images", "seen", "--held-out")
    assert finished.code == 2
