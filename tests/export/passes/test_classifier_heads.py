"""Classifiers whose file has the softmax inside: by position, and by class name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from affnet.errors import LabelsError
from affnet.export.passes.heads import with_head
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.export.verification.compare import verify_against
from affnet.export.verification.inputs import usual_inputs
from affnet.export.verification.subject import Subject
from affnet.runtimes import runtime_for
from affnet.runtimes.mlprogram import load_program
from tests.tiny import tiny_source

NAMES = ("cat", "dog", 'a "b" <c>', "größer", "e")


def expected_of(pixels: np.ndarray) -> np.ndarray:
    image = torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    with torch.inference_mode():
        return torch.softmax(tiny_source().model(image), -1).numpy()


def test_a_softmax_in_the_file_is_proven_beside_pytorch_s(tmp_path: Path) -> None:
    options = ExportOptions("torch", head="softmax")
    artifact = export_artifact(tiny_source(), options, tmp_path)
    assert artifact.manifest.gives_probabilities
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.passed
    image = np.random.default_rng(0).random((1, 3, 32, 32), np.float32)
    (found,) = runtime_for("torch").load(artifact.path, threads=1).run(image)
    assert found.sum() == pytest.approx(1, abs=1e-6)
    # compared with the logits, the same file is wrong
    taken = artifact.manifest.inputs[0]
    verdict = verify_against(Subject.of(artifact), tiny_source(), usual_inputs([taken]))
    assert not verdict.passed


def test_two_classes_of_one_name_are_no_classifier_by_name() -> None:
    source = dataclasses.replace(tiny_source(), labels=(*NAMES[:4], "cat"))
    with pytest.raises(
        LabelsError, match=r"'cat' is the name of several; give each class a name of its"
    ):
        with_head(source, "classifier")
    with_head(source, "softmax")


@pytest.mark.converters
@pytest.mark.parametrize("labels", [NAMES, None], ids=["names", "numbers"])
def test_core_ml_tells_probabilities_by_class(
    labels: tuple[str, ...] | None, tmp_path: Path
) -> None:
    pytest.importorskip("coremltools")
    source = dataclasses.replace(tiny_source(), labels=labels)
    options = ExportOptions("coreml", precision="fp32", head="classifier")
    artifact = export_artifact(source, options, tmp_path)
    program = load_program(artifact.path)
    assert program.class_labels == list(labels or range(5))
    assert [one.kind for one in program.inputs] == ["image"]
    assert {one.kind: one.name for one in program.outputs} == {
        "label": "classLabel",
        "probabilities": "classLabel_probs",
    }
    pixels = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    (found,) = runtime_for("coreml").load(artifact.path, threads=1).run(pixels)
    np.testing.assert_allclose(found, expected_of(pixels), atol=1e-5)
    (given,) = runtime_for("coreml").describe(artifact.path).outputs
    assert (given.shape, given.dtype) == ((1, 5), "float32")
