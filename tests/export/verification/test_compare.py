"""Running an artifact beside PyTorch."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from affnet.artifact import Artifact, TensorSpec
from affnet.errors import ArtifactError, UsageError
from affnet.export.open_or_export import open_or_export
from affnet.export.reporting.artifact import plan_text
from affnet.export.verification.compare import verify_against, verify_held_out
from affnet.export.verification.inputs import image_inputs
from affnet.export.verification.open import inputs_for
from affnet.export.verification.reference import Reference, reference_outputs
from affnet.export.verification.subject import Subject, run_batches
from affnet.model.bundled import HeldOut, load_held_out
from affnet.model.source import Source, load_source
from affnet.parity import Parity
from tests.tiny import tiny_source


class Recorder:
    """A session that returns each image's mean and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def run(self, image: np.ndarray) -> list[np.ndarray]:
        self.batches.append(len(image))
        return [image.mean(axis=(2, 3))]


def images_of(size: tuple[int, int]) -> np.ndarray:
    return np.concatenate([one.arrays[0] for one in image_inputs(size)])


def with_batch(artifact: Artifact, batch: int | str) -> Artifact:
    spec = TensorSpec("image", (batch, 3, 64, 64), "float32", "NCHW")
    return dataclasses.replace(
        artifact, manifest=dataclasses.replace(artifact.manifest, inputs=(spec,))
    )


def compared(artifact: Artifact, source: Source) -> Parity:
    """Compare a file with a source on the usual inputs."""
    subject = Subject.of(artifact)
    return verify_against(subject, source, inputs_for(subject, Reference(source)))


def test_reference_outputs_are_the_networks_logits() -> None:
    source = tiny_source()
    images = images_of((32, 32))
    with torch.inference_mode():
        expected = source.model(torch.from_numpy(images)).numpy()
    (logits,) = reference_outputs(source, (images,))
    assert np.array_equal(logits, expected)


@pytest.mark.parametrize(
    ("batch", "batches"), [(1, [1, 1, 1, 1, 1]), ("batch", [1, 2, 1, 1]), (2, [2, 2, 2])]
)
def test_images_run_one_by_one_and_in_pairs_where_the_batch_is_dynamic(
    digits_onnx: Artifact, batch: int | str, batches: list[int]
) -> None:
    session, images = Recorder(), images_of((64, 64))[:5]
    (outputs,) = run_batches(session, images, with_batch(digits_onnx, batch).manifest.inputs[0])
    assert session.batches == batches
    assert np.allclose(outputs, images.mean(axis=(2, 3)))


def test_a_file_that_loads_but_does_not_run_is_one_sentence(
    digits_onnx: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def run(self, _: np.ndarray) -> list[np.ndarray]:
            raise RuntimeError("kernel failed\nwith details")

    monkeypatch.setattr(Subject, "load", lambda _: Broken())
    with pytest.raises(ArtifactError) as error:
        compared(digits_onnx, load_source("digits"))
    assert str(error.value) == f"onnxruntime cannot run {digits_onnx.path}: kernel failed."


def test_the_bundled_artifacts_agree_with_their_source(
    digits_onnx: Artifact, digits_pt2: Artifact
) -> None:
    source = load_source("digits")
    for artifact in (digits_onnx, digits_pt2):
        parity = compared(artifact, source)
        assert parity.passed
        assert parity.max_rel_error < 1e-5
        assert (parity.inputs, parity.tolerance) == (8, 1e-4)


def test_other_weights_do_not_agree(digits_onnx: Artifact) -> None:
    source = load_source("digits")
    with torch.no_grad():
        source.model.classifier.fc.bias += 0.1
    parity = compared(digits_onnx, source)
    assert not parity.passed
    assert parity.max_abs_error == pytest.approx(0.1, rel=1e-2)


def test_a_network_whose_output_no_image_changes_is_refused(digits_onnx: Artifact) -> None:
    dead = load_source("digits")
    dead.model.classifier.fc.weight.data.zero_()  # its bias remains
    with pytest.raises(UsageError, match="the same output for all 8 inputs, so that comparing"):
        compared(digits_onnx, dead)


def test_another_class_count_is_told_before_anything_runs(digits_onnx: Artifact) -> None:
    with pytest.raises(UsageError) as error:
        compared(digits_onnx, load_source("affnet_et"))
    assert str(error.value) == (
        "digits.onnx has 10 classes and affnet_et 1000; "
        "compare it with the source it was exported from."
    )


def test_agreement_on_held_out_digits_is_counted(
    digits_onnx: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = load_held_out()
    wrong = digits.labels[:30].copy()
    wrong[:3] = (wrong[:3] + 1) % 10
    few = HeldOut(digits.images[:30], wrong)
    monkeypatch.setattr("affnet.evaluation.held_out.load_held_out", lambda _: few)
    agreement = verify_held_out(Subject.of(digits_onnx), load_source("digits"))
    assert (agreement.images, agreement.agreeing) == (30, 30)
    assert agreement.top1 == agreement.top1_pytorch == pytest.approx(0.9, abs=0.04)


def test_only_the_bundled_source_has_held_out_images(digits_onnx: Artifact) -> None:
    with pytest.raises(UsageError) as error:
        verify_held_out(Subject.of(digits_onnx), tiny_source())
    assert str(error.value) == (
        "--held-out needs a bundled source (digits, emoji) to compare with, not tiny."
    )


def test_an_artifact_is_opened_and_not_exported_again(
    digits_onnx: Artifact, tmp_path: Path
) -> None:
    assert open_or_export(str(digits_onnx.path), "onnx", None, "auto", tmp_path) == digits_onnx
    assert list(tmp_path.iterdir()) == []


def test_an_artifact_of_another_format_is_refused(digits_onnx: Artifact, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        open_or_export(str(digits_onnx.path), "torch", None, "auto", tmp_path)
    assert str(error.value) == (
        f"{digits_onnx.path} is of the format onnx, which torch does not run; "
        "choose the runtime onnxruntime."
    )


def test_a_plan_is_told_in_one_line() -> None:
    assert plan_text({"8x8": "dense", "16x16": "separable"}) == "8x8 dense, 16x16 separable"
    assert plan_text({}) == "none needed"
