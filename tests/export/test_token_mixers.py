"""Token mixers alone and in AFFNet's backbone, as files of several formats."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import pytest
from torch import nn

from affnet.artifact import Artifact, TensorSpec
from affnet.errors import ConversionError
from affnet.export import token_mixers
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.export.token_mixers import export_mixer
from affnet.export.verification.compare import verify_against
from affnet.export.verification.open import inputs_for
from affnet.export.verification.reference import Reference
from affnet.export.verification.subject import Subject
from affnet.model.mixers import MIXERS, create_mixer, in_residual
from affnet.model.mixers.alone import mixer_source
from affnet.model.random_weights import randomise
from affnet.model.source import Source, load_source, reload_source
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS

pytestmark = THIRD_PARTY_WARNINGS

#: Those whose operators differ most: windows, sorting by hashes, transforms.
VARIED = ("twins", "reformer", "gfnet")


def in_a_row(names: Iterable[str], size: tuple[int, int]) -> Source:
    """Mixers, each after a normalisation, as one network: one export proves them all."""
    layers = nn.Sequential()
    for name in names:
        block = nn.Sequential()
        block.add_module("norm", nn.GroupNorm(1, 16))
        block.add_module("filter", in_residual(create_mixer(name, 16, size)))
        layers.add_module(name, block)
    randomise(layers)
    spec = TensorSpec("maps", (1, 16, *size), "float32")
    return dataclasses.replace(mixer_source("pool", 16, size), model=layers.eval(), inputs=(spec,))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("format_", "names"),
    [
        ("onnx", tuple(MIXERS)),
        pytest.param("tflite", VARIED, marks=pytest.mark.converters),
        pytest.param("tflite", tuple(MIXERS), marks=pytest.mark.exhaustive),
    ],
    ids=["onnx, all", "tflite, three", "tflite, all"],
)
def test_mixers_agree_with_pytorch_in_a_file(
    format_: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    artifact = export_artifact(in_a_row(names, (8, 16)), ExportOptions(format_), tmp_path)
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.max_rel_error < 1e-4
    assert artifact.manifest.fallbacks == ()
    assert list(artifact.manifest.fft_plan) == ["8x16"]


def test_a_mixer_alone_is_exported_with_its_residual(tmp_path: Path) -> None:
    artifact = export_mixer("pool", 8, (4, 6), "onnx", tmp_path)
    assert isinstance(artifact, Artifact), artifact
    assert artifact.manifest.model == "pool-8x4x6"
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.passed
    assert artifact.manifest.parameters == 0


def test_why_a_format_cannot_hold_a_mixer_is_returned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ConversionError("The runtime has no sort.")

    monkeypatch.setattr(token_mixers, "export_artifact", fail)
    assert export_mixer("reformer", 16, (8, 8), "onnx", tmp_path) == "The runtime has no sort."


@pytest.mark.slow
def test_a_network_with_another_mixer_is_exported_and_built_again_for_its_image_size(
    tmp_path: Path,
) -> None:
    source = load_source("affnet_et+gfnet", image_size=(64, 96))
    artifact = export_artifact(source, ExportOptions("onnx"), tmp_path)
    assert artifact.path.name == "affnet_et+gfnet.onnx"
    assert artifact.manifest.published is None
    assert list(artifact.manifest.fft_plan) == ["8x12", "4x6", "2x3"]
    again = reload_source(Artifact.open(artifact.path).manifest.provenance)
    assert again.input.image_size() == (64, 96)
    subject = Subject.of(artifact)
    reference = Reference(again)
    parity = verify_against(subject, again, inputs_for(subject, reference), reference)
    assert parity.max_rel_error < 1e-5
