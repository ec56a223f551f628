"""``affnet eval``: what it counts, keeps and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from affnet.artifact import Artifact, manifest_path
from affnet.model.bundled import load_held_out
from affnet.runtimes.onnxruntime import OnnxRuntime
from tests.cli.conftest import edit_manifest
from tests.conftest import Finished
from tests.shared_artifacts import SharedArtifacts

PER_CLASS = 2


@pytest.fixture
def digits(workspace: Path) -> Path:
    """A folder of a few held-out digits, with the margin that the evaluation cuts off."""
    held_out = load_held_out()
    for index, (pixels, label) in enumerate(zip(held_out.images, held_out.labels, strict=True)):
        folder = workspace / "images" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        if len(list(folder.iterdir())) < PER_CLASS:
            whole = Image.new("L", (32, 32))
            whole.paste(Image.fromarray(pixels), (2, 2))
            whole.save(folder / f"{index:04}.png")
    return workspace / "images"


def test_an_artifact_agrees_with_pytorch_image_by_image(
    run: Callable[..., Finished], digits_onnx: Artifact, digits: Path
) -> None:
    finished = run("eval", digits_onnx.path, "--data", digits, "--json")
    assert finished.code == 0
    record = finished.json
    assert record["schema"] == 1
    assert record["artifact"] == str(digits_onnx.path)
    assert record["runtime"] == f"onnxruntime {OnnxRuntime.version()}"
    assert (record["images"], record["skipped"]) == (20, [])
    low, high = record["top1_interval"]
    assert 0.8 <= record["top1"] <= record["top5"] <= 1
    assert 0 < low < record["top1"] < high + 1e-9
    assert record["images_per_second"] > 0
    assert record["agreement"] == {
        "against": "digits", "images": 20, "agreeing": 20, "top1": record["top1"],
    }  # fmt: skip


def test_corrupt_images_are_named_and_left_out(
    run: Callable[..., Finished], digits_onnx: Artifact, digits: Path
) -> None:
    broken = sorted((digits / "3").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:60])
    finished = run("eval", digits_onnx.path, "--data", digits)
    assert finished.code == 0
    assert f"Note: Skipped: {broken} cannot be decoded" in finished.err
    assert "images, 19 images (1 skipped)" in finished.out
    assert "19 of 19 images get the class that PyTorch gives" in finished.out


def test_a_source_runs_in_pytorch_and_a_sample_is_enough(
    run: Callable[..., Finished], digits: Path
) -> None:
    record = run("eval", "digits", "--data", digits, "--limit", 5, "--json", "-q").json
    assert record["runtime"].startswith("torch ")
    assert (record["images"], record["agreement"]) == (5, None)


def test_a_recorded_accuracy_replaces_that_of_the_same_data(
    run: Callable[..., Finished], onnx_copy: Path, digits: Path
) -> None:
    for _ in range(2):
        finished = run("eval", onnx_copy, "--data", digits, "--record", "--json", "-q")
    (kept,) = Artifact.open(onnx_copy).manifest.accuracy
    assert (kept.dataset, kept.images, kept.top1) == ("images", 20, finished.json["top1"])
    digits.rename(digits.with_name("others"))
    run("eval", onnx_copy, "--data", "others", "--record", "-q")
    assert [k.dataset for k in Artifact.open(onnx_copy).manifest.accuracy] == ["images", "others"]


def test_without_its_source_only_the_agreement_is_missing(
    run: Callable[..., Finished], onnx_copy: Path, digits: Path
) -> None:
    provenance = json.loads(manifest_path(onnx_copy).read_text())["provenance"]
    # of weights that no other test has loaded from a file, where they would be found again
    unseen = {"kind": "checkpoint", "location": "gone.pt", "sha256": "0" * 64}
    edit_manifest(onnx_copy, provenance={**provenance, **unseen})
    finished = run("eval", onnx_copy, "--data", digits, "--json")
    assert finished.json["agreement"] is None
    assert "Note: Agreement with PyTorch is not available: " in finished.err
    assert "gone.pt, which is neither where it was nor beside it; copy it there" in finished.err


def test_what_does_not_fit_is_refused(
    refused: Callable[..., str], onnx_copy: Path, digits: Path
) -> None:
    def told(*arguments: object) -> str:
        return refused("eval", onnx_copy, "--data", *arguments)

    assert "missing does not exist; give a folder" in told("missing")
    limited = told(digits, "--record", "--limit", 3)
    assert "gets here on all images: no --limit, --runtime, --device" in limited
    assert "needs an artifact" in refused("eval", "digits", "--data", digits, "--record")
    assert "has a folder 'activities', which is no label" in told("emoji")
    (digits / "9").rename(digits / "nine")
    assert "has a folder 'nine', which is no label of the network" in told(digits)
    for image in (digits / "nine").iterdir():
        image.unlink()
    assert "nine holds no images" in told(digits)
    (digits / "nine").rmdir()
    assert "has 9 class folders and the network 10 classes (9 is missing)" in told(digits)


def test_a_network_of_another_source_is_refused(
    refused: Callable[..., str], onnx_copy: Path, digits: Path
) -> None:
    arguments = ("eval", onnx_copy, "--data", digits, "--against", "affnet_et", "-q")
    assert "10 class folders and the network 1000 classes" in refused(*arguments)


def test_a_file_is_evaluated_in_the_runtime_asked_for(
    run: Callable[..., Finished], digits: Path, shared_artifact: SharedArtifacts
) -> None:
    pytest.importorskip("tract", reason="needs pip install 'affnet[tract]'")
    path = shared_artifact("digits", "onnx").path
    arguments = ("eval", path, "--data", digits, "--limit", "8", "--runtime", "tract")
    for more in ((), ("--device", "host")):
        done = run(*arguments, *more, "--json")
        assert done.code == 0, done.err
        assert done.json["runtime"].startswith("tract")
    done = run(*arguments, "--cluster", "127.0.0.1:1")
    assert done.code == 2
    assert "--cluster evaluates such files in onnxruntime; omit --runtime" in done.err
