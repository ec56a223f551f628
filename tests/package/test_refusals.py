"""What `affnet package` refuses, each with one sentence, and leaves nothing behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from affnet.artifact import TensorSpec
from affnet.errors import AffnetError, LabelsError, UnknownNameError, UsageError
from affnet.package.build import TARGETS, build
from affnet.templates.contract import contract_of
from tests.package import networks


def test_a_target_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UnknownNameError, match="Unknown target 'watch'; valid: python, web, cpp, android, ios"
    ):
        build(tmp_path / "x.onnx", "watch", tmp_path / "p", 1)


@pytest.mark.parametrize("target", TARGETS)
def test_a_folder_that_exists_is_left_alone(target: str, tmp_path: Path) -> None:
    path = networks.write(tmp_path).path
    (tmp_path / "package").mkdir()
    with pytest.raises(UsageError, match=r"package exists, .*; name a new folder with --output"):
        build(path, target, tmp_path / "package", 1)
    assert not list((tmp_path / "package").iterdir())


@pytest.mark.parametrize(
    ("target", "format_", "reason"),
    [
        ("cpp", "tflite", "a package for cpp takes onnx; .*: affnet export SOURCE --format onnx$"),
        ("python", "executorch", "ExecuTorch's runtime for Python needs torch"),
        ("web", "coreml", "a package for web takes onnx or tflite"),
        ("android", "coreml", "a package for android takes onnx or tflite"),
        ("android", "executorch", "a package for android takes onnx or tflite"),
        ("ios", "onnx", "a package for ios takes coreml or coreai; .* SOURCE --format coreml$"),
        ("ios", "tflite", "a package for ios takes coreml or coreai"),
    ],
)
def test_a_format_that_a_target_does_not_run_is_refused(
    target: str, format_: str, reason: str, tmp_path: Path
) -> None:
    artifact = networks.write(tmp_path)
    networks.rewrite(artifact, format=format_)
    with pytest.raises(UsageError, match=reason):
        build(artifact.path, target, tmp_path / "package", 1)
    assert not (tmp_path / "package").exists()


@pytest.mark.parametrize("target", TARGETS)
def test_labels_that_are_not_those_of_the_classes_are_refused(target: str, tmp_path: Path) -> None:
    artifact = networks.write(tmp_path)
    networks.rewrite(
        artifact, labels=("one", "two"), format="coreml" if target == "ios" else "onnx"
    )
    with pytest.raises(LabelsError, match="has 2 labels for 3 classes; export it again"):
        build(artifact.path, target, tmp_path / "package", 1)
    assert not (tmp_path / "package").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"task": "other"},
        {"preprocessing": None},
        {
            "outputs": (TensorSpec("x", (1, 3), "int8"),),
        },
    ],
)
def test_what_no_app_could_read_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    artifact = networks.write(tmp_path)
    networks.rewrite(artifact, **change)
    with pytest.raises(AffnetError):
        build(artifact.path, "python", tmp_path / "package", 1)
    assert not (tmp_path / "package").exists()


def test_segmenters_that_resize_pictures_themselves_are_refused(tmp_path: Path) -> None:
    artifact = networks.write(tmp_path, "segmentation")
    inside = replace(artifact.pixel_contract(), picture=(48, 64))
    artifact = artifact.with_manifest(preprocessing=inside)
    with pytest.raises(UsageError, match="export it with --preprocess spec"):
        contract_of(artifact, "onnxruntime", "onnxruntime", "1", 1)
