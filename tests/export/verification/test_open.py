"""Files of other tools, without a manifest, compared with the network they came from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from affnet.artifact import Artifact, TensorSpec
from affnet.errors import ArtifactError, UsageError
from affnet.export.verification.compare import verify_against
from affnet.export.verification.open import inputs_for, open_foreign, open_subject
from affnet.export.verification.reference import Reference
from affnet.export.verification.subject import Subject
from affnet.model.source import Source, load_source
from affnet.parity import Parity
from affnet.runtimes import Interface
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS
from tests.tiny import CLASSES, tiny_source

pytestmark = THIRD_PARTY_WARNINGS

SHAPE = (2, 4, 16, 24)


def compared(subject: Subject, source: Source) -> Parity:
    """Compare a file with a source on the usual inputs."""
    return verify_against(subject, source, inputs_for(subject, Reference(source)))


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.SiLU(), nn.Conv2d(8, 5, 1)).eval()


def program(folder: Path, seed: int = 0) -> Source:
    path = folder / f"network{seed}.pt2"
    torch.export.save(torch.export.export(network(seed), (torch.zeros(SHAPE),)), path)
    return load_source(str(path))


def written_by_another_tool(kind: str, folder: Path) -> Path:
    """Convert the network as its author would: with the format's tool, without affnet."""
    exported = torch.export.export(network(), (torch.zeros(SHAPE),))
    path = folder / f"theirs.{kind.removesuffix('16').removesuffix('32')}"
    if kind == "onnx":
        torch.onnx.export(exported, f=path, dynamo=True, external_data=False, verbose=False)
    elif kind == "pt2":
        torch.export.save(exported, path)
    elif kind == "tflite":
        import litert_torch

        litert_torch.convert(network(), (torch.zeros(SHAPE),)).export(str(path))
    elif kind == "pte":
        from executorch.exir import to_edge

        path.write_bytes(to_edge(exported).to_executorch().buffer)
    else:
        from affnet.runtimes.coreml import quiet_coremltools

        with quiet_coremltools() as coremltools:
            precision = coremltools.precision
            converted = coremltools.convert(
                exported.run_decompositions({}),
                convert_to="mlprogram",
                compute_precision=precision.FLOAT16 if kind.endswith("16") else precision.FLOAT32,
                skip_model_load=True,
            )
            converted.save(str(path))
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "onnx",
        "pt2",
        *(
            pytest.param(kind, marks=pytest.mark.converters)
            for kind in ("tflite", "pte", "mlpackage16", "mlpackage32")
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")  # what their tools warn about is not ours
def test_files_of_other_tools_are_compared(kind: str, tmp_path: Path) -> None:
    theirs = written_by_another_tool(kind, tmp_path)
    subject = open_foreign(theirs, program(tmp_path))
    assert subject.input.shape == SHAPE
    assert subject.outputs[0].shape == (2, 5, 16, 24)
    assert subject.precision == ("fp16" if kind.endswith("16") else "fp32")
    parity = compared(subject, program(tmp_path))
    assert parity.passed
    assert parity.max_rel_error < (5e-3 if kind.endswith("16") else 1e-6)
    assert not compared(subject, program(tmp_path, seed=1)).passed


def bare(artifact: Artifact, folder: Path) -> Path:
    path = folder / artifact.path.name
    path.write_bytes(artifact.path.read_bytes())
    return path


def test_a_network_for_images_gets_images(digits_onnx: Artifact, tmp_path: Path) -> None:
    subject, artifact, source = open_subject(bare(digits_onnx, tmp_path), "digits", None)
    assert artifact is None
    assert subject.input == TensorSpec("image", (1, 3, 64, 64), "float32", "NCHW", (0.0, 1.0))
    assert compared(subject, source).passed


def test_without_a_network_to_compare_with_it_is_refused(
    digits_onnx: Artifact, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match=r"has no manifest .*affnet verify FILE --against"):
        open_subject(bare(digits_onnx, tmp_path), None, None)


def test_a_file_of_no_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(UsageError, match=r"is no file of a format that affnet runs: .*\.onnx"):
        open_subject(tmp_path / "notes.txt", "digits", None)


IMAGE, LOGITS = (
    TensorSpec("x", (1, 3, 32, 32), "float32"),
    TensorSpec("y", (1, CLASSES), "float32"),
)


@pytest.mark.parametrize(
    ("inputs", "outputs", "sentence"),
    [
        ((IMAGE, IMAGE), (LOGITS,), "has 2 inputs; files of one input can be compared"),
        ((IMAGE,), (), "has 0 outputs; files of one output can be compared"),
        ((IMAGE,), (LOGITS, LOGITS), "has 2 outputs; files of one output can be compared"),
        ((IMAGE,), (TensorSpec("y", (), "label"),), "output 'y' is of the type label"),
        ((TensorSpec("x", (1, 3, 32), "float32"),), (LOGITS,), "1 x 3 x 32, which is no image"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    inputs: tuple[TensorSpec, ...],
    outputs: tuple[TensorSpec, ...],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interface = Interface(inputs, outputs, "fp32")
    monkeypatch.setattr("affnet.export.verification.open.try_out", lambda *_: interface)
    with pytest.raises(UsageError, match=sentence):
        open_foreign(Path("theirs.onnx"), tiny_source())


@pytest.mark.parametrize(
    ("shape", "dtype", "layout", "values"),
    [
        ((1, 3, 32, 32), "float32", "NCHW", (0.0, 1.0)),
        ((1, 32, 32, 3), "float32", "NHWC", (0.0, 1.0)),
        ((1, 32, 32, 3), "uint8", "NHWC", (0.0, 255.0)),
    ],
)
def test_the_layout_of_images_is_recognised(
    shape: tuple[int | str, ...],
    dtype: str,
    layout: str,
    values: tuple[float, float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    interface = Interface((TensorSpec("x", shape, dtype),), (LOGITS,), "fp32")
    monkeypatch.setattr("affnet.export.verification.open.try_out", lambda *_: interface)
    found = open_foreign(Path("theirs.onnx"), tiny_source()).input
    assert (found.layout, found.range, found.dynamic_batch) == (layout, values, False)
