"""Networks of several inputs and outputs, of every type, through every format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affnet.artifact import Arrays, Artifact
from affnet.errors import UsageError
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.export.verification import reference
from affnet.model.source import Source, load_source
from affnet.runtimes import runtime_for
from tests.conftest import Finished
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS

pytestmark = THIRD_PARTY_WARNINGS
NETWORKS = "tests.networks.signatures"
FORMATS = [
    "onnx",
    *(pytest.param(name, marks=pytest.mark.converters) for name in ("coreml", "tflite")),
    pytest.param("executorch", marks=[pytest.mark.converters, pytest.mark.exhaustive]),
]


def network(name: str) -> Source:
    return load_source(f"{NETWORKS}:{name}")


def exported(name: str, format_: str, folder: Path) -> Artifact:
    source = network(name)
    artifact = export_artifact(source, ExportOptions(format_, precision="fp32"), folder)
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.max_rel_error <= 1e-4
    assert artifact.manifest.fallbacks == ()
    return artifact


@pytest.mark.parametrize("format_", FORMATS)
def test_tokens_and_a_mask_are_taken(format_: str, tmp_path: Path) -> None:
    artifact = exported("tokens", format_, tmp_path)
    tokens, mask = artifact.manifest.inputs
    assert (tokens.name, tokens.shape, tokens.range) == ("tokens", (1, 12), (0.0, 19.0))
    assert (mask.name, mask.shape) == ("mask", (1, 12))
    outputs = {output.name: output.shape for output in artifact.manifest.outputs}
    assert outputs == {"hidden": (1, 12, 8), "best": (1, 12), "score": (), "above": (1, 12, 8)}
    wanted = {
        "onnx": ("int64", "bool"), "executorch": ("int64", "bool"),
        "tflite": ("int32", "bool"), "coreml": ("int32", "int32"),
    }[format_]  # fmt: skip
    assert (tokens.dtype, mask.dtype) == wanted
    noted = artifact.manifest.details.get("types", {})
    assert (noted.get("tokens") == "int64 in PyTorch, int32 in the file") == (wanted[0] == "int32")


@pytest.mark.parametrize("format_", FORMATS)
def test_every_type_is_taken_and_given(format_: str, tmp_path: Path) -> None:
    artifact = exported("types", format_, tmp_path)
    names = [taken.name for taken in artifact.manifest.inputs]
    assert names == ["flags", "counts", "half", "wave", "gain"]
    assert artifact.manifest.inputs[3].shape == (8, 2)
    assert artifact.manifest.outputs[0].shape == (8, 2)
    if format_ == "onnx":
        types = [taken.dtype for taken in artifact.manifest.inputs]
        assert types == ["bool", "int32", "float16", "float32", "float32"]
        types = [given.dtype for given in artifact.manifest.outputs]
        assert types == ["float32", "bool", "int32", "float16"]


def test_what_is_nested_gets_the_names_of_its_places() -> None:
    source = network("nested")
    assert [taken.name for taken in source.inputs] == ["parts_a", "more_0"]
    assert [given.name for given in source.outputs] == ["low", "high"]
    assert any("never uses its input 'parts_spare'" in note for note in source.notes)
    low, high = source.model(torch.ones(8), torch.zeros(3))
    assert (low.max(), high.max()) == (1, 8)


def test_no_two_tensors_of_a_file_have_one_name() -> None:
    source = network("clash")
    assert [taken.name for taken in source.inputs] == ["x", "y"]
    assert [given.name for given in source.outputs] == ["a_b", "a_b_2", "output_x"]
    assert any("Two outputs of" in note and "a_b_2" in note for note in source.notes)
    assert any("is 3 and no tensor" in note for note in source.notes)


PASSED = ["same", "output_mul_2", "output_mul", "again", "output_y", "abs"]


@pytest.mark.parametrize("format_", FORMATS)
def test_inputs_that_are_returned_keep_their_names(format_: str, tmp_path: Path) -> None:
    artifact = exported("passing", format_, tmp_path)
    assert [given.name for given in artifact.manifest.outputs] == PASSED
    inside = runtime_for(format_).describe(artifact.path)
    if format_ in ("onnx", "coreml"):  # the others go by place
        assert [taken.name for taken in inside.inputs] == ["mul", "y"]
        assert [given.name for given in inside.outputs] == PASSED


@pytest.mark.parametrize("format_", FORMATS)
def test_arguments_may_be_called_like_functions_of_python(format_: str, tmp_path: Path) -> None:
    artifact = exported("builtins", format_, tmp_path)
    assert [taken.name for taken in artifact.manifest.inputs] == ["input", "filter", "min"]
    assert [given.name for given in artifact.manifest.outputs] == ["sum", "max"]


def test_where_pytorch_raises_for_a_singular_matrix_nothing_is_compared(tmp_path: Path) -> None:
    manifest = exported("inverse", "onnx", tmp_path).manifest
    assert manifest.parity is not None
    compared = {one.name: one.compared for one in manifest.parity.details}
    assert compared["normal noise"] == compared["the example"] == 1
    assert "zeros" not in compared and "singular" in manifest.details["rejected_inputs"]["zeros"]


def test_verify_runs_the_network_once_on_each_input(
    run: Callable[..., Finished], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = exported("inverse", "onnx", tmp_path)
    given, own = [], reference.reference_outputs

    def outputs(source: Source, arrays: Arrays) -> Any:
        given.append(b"".join(array.tobytes() for array in arrays))
        return own(source, arrays)

    monkeypatch.setattr(reference, "reference_outputs", outputs)
    done = run("verify", artifact.path)
    assert (done.code, "that it raises on: zeros" in " ".join(done.err.split())) == (0, True)
    assert len(given) == len(set(given)) > 5


def test_no_classes_are_compared_where_there_are_none(
    run: Callable[..., Finished], tmp_path: Path
) -> None:
    found = run("export", f"{NETWORKS}:passing", "-o", tmp_path)
    assert "agrees with PyTorch" in found.out
    assert "top-1" not in found.out


def test_a_gradient_is_given(tmp_path: Path) -> None:
    exported("slope", "onnx", tmp_path)


def test_a_dictionary_alone_is_the_argument_of_a_forward_that_takes_one() -> None:
    source = network("options")
    assert [taken.name for taken in source.inputs] == ["parts_a", "parts_b"]


def test_numbers_are_constants_and_a_note_says_so() -> None:
    (note,) = network("tokens").notes
    assert note.endswith("is 0.5, of the example; in the file it is a constant.")


def test_a_saved_program_keeps_names_and_values(tmp_path: Path) -> None:
    from tests.networks.signatures import tokens

    model, args, kwargs = tokens()
    torch.export.save(torch.export.export(model.eval(), args, kwargs), tmp_path / "net.pt2")
    source = load_source(str(tmp_path / "net.pt2"))
    assert [taken.name for taken in source.inputs] == ["tokens", "mask"]
    assert source.example is not None
    found = source.model(*map(torch.tensor, source.example))
    wanted = model(*args, **kwargs)
    assert all(map(torch.equal, found, wanted.values()))


def test_float64_is_refused_where_files_hold_none(tmp_path: Path) -> None:
    artifact = exported("wide", "onnx", tmp_path)
    assert artifact.manifest.inputs[0].dtype == "float64"
    with pytest.raises(
        UsageError, match=r"float64, which coreml files do not hold; convert .*onnx"
    ):
        export_artifact(network("wide"), ExportOptions("coreml"), tmp_path)


def test_the_commands_take_several_inputs(run: Callable[..., Finished], tmp_path: Path) -> None:
    done = run("export", f"{NETWORKS}:tokens", "-o", tmp_path, "--quiet")
    assert (done.code, "7 inputs" in done.out) == (0, True), done.err
    file = tmp_path / "signatures_tokens.onnx"
    rng = np.random.default_rng(0)
    mine = {"tokens": rng.integers(0, 20, (3, 1, 12)), "mask": rng.random((3, 1, 12)) > 0.5}
    np.savez(tmp_path / "mine.npz", **mine)
    done = run("verify", file, "--verify-on", tmp_path / "mine.npz", "--json", "-q")
    assert done.err == ""
    assert (done.code, done.json["passed"]) == (0, True)
    assert "mask 1x12 bool" in run("inspect", file).out
    np.save(tmp_path / "tokens.npy", mine["tokens"][0])
    np.save(tmp_path / "mask.npy", mine["mask"][0])
    given = [f"--input={name}={tmp_path / name}.npy" for name in mine]
    done = run("run", file, *given, "-o", tmp_path, "--json")
    assert [o["name"] for o in done.json["outputs"]] == ["hidden", "best", "score", "above"]
    with np.load(tmp_path / "signatures_tokens.outputs.npz") as written:
        assert written["best"].shape == (1, 12)
    assert "The input 'mask' is missing" in run("run", file, given[0]).err
    measured = run("bench", file, "--preset", "quick", "--json", "--quiet")
    assert measured.code == 0, measured.err
    np.savez(tmp_path / "mine.npz", tokens=mine["tokens"])
    done = run("verify", file, "--verify-on", tmp_path / "mine.npz")
    assert "lacks 'mask'; give it an array for each input: tokens, mask" in done.err
