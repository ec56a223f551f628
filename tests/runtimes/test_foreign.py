"""Files of other tools are opened by their own account, and refused with what is missing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from affnet.artifact import UNPROVEN
from affnet.errors import ArtifactError, UsageError
from affnet.runtimes import runtime_of_file
from affnet.runtimes.foreign import describe_file, open_file
from tests.conftest import Finished

OLDER = Path(__file__).parents[1] / "data" / "of_12eeb20"
FILES = [
    "build.onnx",
    pytest.param("build.tflite", marks=pytest.mark.converters),
    pytest.param("build.pte", marks=pytest.mark.converters),
    pytest.param("build.mlpackage", marks=pytest.mark.converters),
]


def pooled(
    path: Path,
    shape: list[int | str],
    dtype: int = TensorProto.FLOAT,
    inputs: int = 1,
    channels_last: bool = False,
) -> Path:
    """Write a classifier of three classes: the mean of each color."""
    taken = [helper.make_tensor_value_info(f"x{i}", dtype, shape) for i in range(inputs)]
    given = helper.make_tensor_value_info("y", TensorProto.FLOAT, [shape[0], 3])
    axes = helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2] if channels_last else [2, 3])
    nodes = [
        helper.make_node("Cast", ["x0"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["f", "axes"], ["y"], keepdims=0),
    ]
    graph = helper.make_graph(nodes, "g", taken, [given], [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_each_format_says_what_it_takes_and_gives(name: str, tmp_path: Path) -> None:
    copy = shutil.copytree if (OLDER / name).is_dir() else shutil.copy
    copy(OLDER / name, tmp_path / name)
    known = json.loads((OLDER / f"{name}.manifest.json").read_text())
    opened = open_file(tmp_path / name)
    manifest = opened.manifest
    assert not opened.proven
    assert (manifest.provenance.kind, manifest.macs, manifest.parity) == (UNPROVEN, None, None)
    assert (manifest.format, manifest.sha256) == (known["format"], known["sha256"])
    for found, expected in (
        (manifest.inputs, known["inputs"]),
        (manifest.outputs, known["outputs"]),
    ):
        assert [list(spec.shape) for spec in found] == [one["shape"] for one in expected]
        assert [spec.dtype for spec in found] == [one["dtype"] for one in expected]
    assert describe_file(tmp_path / name).manifest.inputs[0].shape == manifest.inputs[0].shape
    assert runtime_of_file(opened.path).format == manifest.format


@pytest.mark.parametrize(
    ("shape", "dtype", "channels_last", "layout", "bounds"),
    [
        ([1, 3, 8, 16], TensorProto.FLOAT, False, "NCHW", (0.0, 1.0)),
        ([1, 8, 16, 3], TensorProto.FLOAT, True, "NHWC", (0.0, 1.0)),
        ([1, 8, 16, 3], TensorProto.UINT8, True, "NHWC", (0.0, 255.0)),
        ([1, 8, 16, 3], TensorProto.INT8, True, "NHWC", (-128.0, 127.0)),
        (["n", 3, 8, 16], TensorProto.FLOAT, False, "NCHW", (0.0, 1.0)),
    ],
)
def test_images_are_known_by_their_three_colors(
    tmp_path: Path,
    shape: list[int | str],
    dtype: int,
    channels_last: bool,
    layout: str,
    bounds: tuple[float, float],
) -> None:
    file = pooled(tmp_path / "a.onnx", shape, dtype, channels_last=channels_last)
    manifest = open_file(file).manifest
    (spec,) = manifest.inputs
    assert (spec.layout, spec.range, spec.image_size()) == (layout, bounds, (8, 16))
    assert (spec.shape[0], manifest.task) == (1, "classification")
    assert manifest.outputs[0].class_axis == 1


def test_open_sides_are_filled_with_the_image_size(tmp_path: Path) -> None:
    file = pooled(tmp_path / "a.onnx", ["n", 3, "h", "w"])
    with pytest.raises(UsageError) as caught:
        open_file(file)
    assert str(caught.value) == (
        f"{file} leaves the size of its input open: n x 3 x h x w; give that of its images by "
        "affnet bench --image-size HxW."
    )
    assert open_file(file, (8, 24)).manifest.inputs[0].shape == (1, 3, 8, 24)
    assert describe_file(file).manifest.inputs[0].shape == ("n", 3, "h", "w")


@pytest.mark.parametrize(
    ("dtype", "inputs", "said"),
    [
        (TensorProto.FLOAT, 2, "has 2 inputs, and only files of one can be run here"),
        (TensorProto.INT64, 1, "takes int64, and inputs can be made up only of float16, float32"),
    ],
)
def test_what_cannot_be_fed_is_refused_but_shown(
    tmp_path: Path, dtype: int, inputs: int, said: str
) -> None:
    file = pooled(tmp_path / "a.onnx", [1, 3, 8, 8], dtype, inputs)
    with pytest.raises(UsageError, match=said):
        open_file(file)
    assert len(describe_file(file).manifest.inputs) == inputs


def test_no_file_and_a_damaged_one_are_one_sentence(tmp_path: Path) -> None:
    for opened in (open_file, describe_file):
        with pytest.raises(ArtifactError, match="does not exist"):
            opened(tmp_path / "none.onnx")
        (tmp_path / "bad.onnx").write_bytes(b"\x08\x07\x3a")
        with pytest.raises(ArtifactError, match=r"bad\.onnx"):
            opened(tmp_path / "bad.onnx")


def test_every_command_takes_it_and_says_that_it_is_unproven(
    run: Callable[..., Finished], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pooled(tmp_path / "theirs.onnx", [1, 3, 8, 8])
    shutil.copytree(OLDER, tmp_path / "ours")
    own = "ours/build.onnx"
    done = run("bench", "theirs.onnx", "--against", own, "--device", "fake", "--json", "--quiet")
    assert done.code == 0, done.err
    theirs, ours = done.json["results"]
    assert (theirs["proven"], theirs["macs"], ours["proven"]) == (False, None, True)
    done = run("bench", "theirs.onnx", "--against", own, "--device", "fake", "-o", "results.json")
    assert "theirs is unproven: affnet did not export it." in done.out
    assert run("compare", "results.json").code == 0
    assert run("bench", "theirs.onnx", "--dry-run").code == 0
    done = run("inspect", "theirs.onnx")
    assert "unproven" in done.out
    assert "ReduceMean 1" in done.out
    assert run("inspect", "theirs.onnx", "--json").json["proven"] is False
    from PIL import Image

    for number, name in enumerate(("blue", "green", "red")):  # sorted, as classes are
        color = tuple(255 * (channel == 2 - number) for channel in range(3))
        (tmp_path / "data" / name).mkdir(parents=True)
        Image.new("RGB", (9, 9), color).save(tmp_path / "data" / name / "a.png")
    done = run("run", "theirs.onnx", "data/red/a.png", "--json")
    assert done.code == 0, done.err
    assert "theirs.onnx is unproven: affnet did not export it" in done.err
    assert done.json["proven"] is False
    assert done.json["results"][0]["classes"][0]["label"] == "class 0"
    done = run("eval", "theirs.onnx", "--data", "data", "--json")
    assert done.code == 0, done.err
    assert "unproven" in done.err
    assert (done.json["proven"], done.json["top1"]) == (False, pytest.approx(1 / 3))
    refused = run("eval", "theirs.onnx", "--data", "data", "--record")
    assert (refused.code, refused.out) == (2, "")


def test_budgets_hold_it(run: Callable[..., Finished], tmp_path: Path) -> None:
    pooled(tmp_path / "theirs.onnx", [1, 3, 8, 8])
    budgets = tmp_path / "budgets.toml"
    budgets.write_text('[[budget]]\nmodel = "./theirs.onnx"\nat_most = "1 s"\ndevice = "fake"\n')
    done = run("check", "--budgets", budgets, "--max-rounds", "2", "--json", "--quiet")
    assert done.json["budgets"][0]["verdict"] == "PASS", done.err
