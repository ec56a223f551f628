"""Wrong operators of ONNX files, found on a device in this process."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from affnet.artifact import Artifact, TensorSpec
from affnet.errors import ArtifactError, ConnectionLostError, MeasurementError, UsageError
from affnet.export.bisection.on_device import bisect
from affnet.export.bisection.onnx import OnnxGraph
from affnet.export.bisection.opening import check_cuttable
from affnet.export.bisection.record import Bisection
from affnet.export.reporting import bisection as report
from affnet.runtimes import Interface
from affnet.runtimes.foreign import described
from tests.export.bisection.doubles import WrongDevice

_X = np.random.default_rng(0).standard_normal((1, 4, 6, 6)).astype(np.float32)
_FLOAT, _HALF = TensorProto.FLOAT, TensorProto.FLOAT16


def _saved(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    weights: dict[str, NDArray[Any]],
    kind: int = _FLOAT,
    precision: str = "fp32",
) -> Artifact:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", kind, _X.shape)],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(onnx.shape_inference.infer_shapes(model), path)
    (given,) = [TensorSpec("y", (1, 1), "float32")]
    dtype = "float16" if kind == _HALF else "float32"
    return described(path, Interface((TensorSpec("x", _X.shape, dtype),), (given,), precision))


def _network(path: Path) -> Artifact:
    """Save a network with a branch, a shape that is computed, a constant and a control flow."""
    random = np.random.default_rng(1)
    then = helper.make_graph(
        [helper.make_node("Sub", ["moved", "two"], ["less"])],
        "then", [], [helper.make_tensor_value_info("less", _FLOAT, None)],
    )  # fmt: skip
    other = helper.make_graph(
        [helper.make_node("Identity", ["moved"], ["same"])],
        "else", [], [helper.make_tensor_value_info("same", _FLOAT, None)],
    )  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["x", "body.conv.weight"], ["c"], "conv"),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("Constant", [], ["two"], "constant", value_float=2.0),
        helper.make_node("Mul", ["r", "two"], ["m"], "mul"),
        helper.make_node("Shape", ["m"], ["shape"], "shape"),
        helper.make_node("Reshape", ["m", "shape"], ["same_shape"], "reshape"),
        helper.make_node("Transpose", ["same_shape"], ["moved"], "transpose", perm=[0, 2, 3, 1]),
        helper.make_node("ReduceSum", ["moved"], ["sum"], "sum", keepdims=0),
        helper.make_node("Greater", ["sum", "two"], ["much"], "greater"),
        helper.make_node("If", ["much"], ["b"], "if", then_branch=then, else_branch=other),
        helper.make_node("Sigmoid", ["m"], ["s"], "sigmoid"),
        helper.make_node("Transpose", ["s"], ["st"], "transpose_2", perm=[0, 2, 3, 1]),
        helper.make_node("Add", ["b", "st"], ["y"], "add"),
    ]
    weight = random.standard_normal((5, 4, 3, 3)).astype(np.float32)
    return _saved(path, nodes, {"body.conv.weight": weight})


def _found(artifact: Artifact, device: WrongDevice, folder: Path | None = None) -> Bisection:
    dtype = artifact.manifest.inputs[0].dtype
    graph = OnnxGraph(artifact, (_X.astype(dtype),))
    return bisect(graph, artifact, device, "noise", reproducers=folder)


def _spoiled(value: NDArray[Any]) -> NDArray[Any]:
    return value + np.asarray(0.5 * np.abs(value).max() + 1, value.dtype)


@pytest.mark.parametrize(
    "wrong", [["conv"], ["mul"], ["reshape"], ["if"], ["sigmoid"], ["add"], ["conv", "if", "add"]]
)
def test_names_each_wrong_operator_in_few_runs(tmp_path: Path, wrong: list[str]) -> None:
    artifact = _network(tmp_path / "net.onnx")
    device = WrongDevice(dict.fromkeys(wrong, _spoiled))
    found = _found(artifact, device)
    assert [one.operators for one in found.wrong] == [(name,) for name in wrong]
    assert found.operators == 11  # the constant and the shape are constants
    before = 0
    for one in reversed(found.wrong):  # the last is found first
        assert one.runs - before <= math.log2(found.operators) + 3
        before = one.runs
    assert not found.clean
    assert device.started == found.runs


def test_each_wrong_operator_is_shown_as_soon_as_it_is_found(tmp_path: Path) -> None:
    artifact, shown = _network(tmp_path / "net.onnx"), list[str]()
    device = WrongDevice(dict.fromkeys(("conv", "add"), _spoiled))
    bisect(OnnxGraph(artifact, (_X,)), artifact, device, "noise", progress=shown.append)
    assert [line for line in shown if not line.startswith("Run ")] == [
        "add (Add) is wrong on wrong", "conv (Conv) is wrong on wrong"
    ]  # fmt: skip
    assert shown[0] == "Run 1: operators 1 to 11 of 11 on wrong"


def test_a_right_device_takes_one_run(tmp_path: Path) -> None:
    found = _found(_network(tmp_path / "net.onnx"), WrongDevice({}))
    assert (found.clean, found.runs, found.repeat_error) == (True, 1, 0.0)


def test_says_module_ranges_and_error_and_writes_what_reproduces_it(tmp_path: Path) -> None:
    artifact = _network(tmp_path / "net.onnx")
    found = _found(artifact, WrongDevice({"relu": np.zeros_like}), tmp_path / "out")
    (wrong,) = found.wrong
    assert (wrong.kinds, wrong.module) == (("Relu",), "body.conv")
    assert wrong.reason == "it gives zeros only"
    assert wrong.error.max_rel_error == pytest.approx(1.0)
    (read,) = wrong.reads
    assert (read.name, read.shape, read.dtype) == ("c", (1, 5, 4, 4), "float32")
    assert read.minimum is not None
    assert read.minimum < 0
    assert wrong.reproducer == str(tmp_path / "out" / "2-Relu.onnx")
    stored = np.load(tmp_path / "out" / "2-Relu.npz")
    assert sorted(stored) == ["expected_0", "given_0", "input_0"]
    model = onnx.load(wrong.reproducer)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Relu"]
    assert np.array_equal(np.maximum(stored["input_0"], 0), stored["expected_0"])
    assert not stored["given_0"].any()


def test_people_read_what_is_wrong(tmp_path: Path) -> None:
    artifact = _network(tmp_path / "net.onnx")
    found = _found(artifact, WrongDevice({"relu": np.zeros_like}))
    assert report.fields([found])["operators on wrong"].startswith(
        "1 of 11 wrong with onnxruntime with its optimisations off on noise, 1e-04 allowed, "
    )
    (table,) = report.tables([found])
    ((number, operator, module, error, reads, reason, _),) = table.rows
    assert (number, operator, module, error) == ("1", "relu (Relu)", "body.conv", "1.0e+00")
    assert reads.startswith("c: -")
    assert reason == "it gives zeros only"


def test_shows_swapped_places_and_saturation(tmp_path: Path) -> None:
    artifact = _network(tmp_path / "net.onnx")

    def swapped(value: NDArray[Any]) -> NDArray[Any]:
        return value.reshape(value.shape[1], -1).T.reshape(value.shape).copy()

    def saturated(value: NDArray[Any]) -> NDArray[Any]:
        return np.clip(value, -2, 2)

    faults = {"conv": saturated, "mul": swapped}
    first, second = _found(artifact, WrongDevice(faults)).wrong
    assert first.reason is not None
    assert first.reason.startswith("it saturates: nothing is beyond 2")
    assert second.reason == "it gives the right values in other places, as with another layout"


def test_a_device_that_gives_nan_is_wrong_where_it_begins(tmp_path: Path) -> None:
    artifact = _network(tmp_path / "net.onnx")
    found = _found(artifact, WrongDevice({"sigmoid": lambda value: value * np.nan}))
    (wrong,) = found.wrong
    assert wrong.operators == ("sigmoid",)
    assert wrong.reason == "it gives NaN in 80 of 80 places"


def test_float16_that_overflows_is_named_with_its_advice(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Mul", ["x", "body.scale"], ["large"], "scale"),
        helper.make_node("Mul", ["large", "large"], ["square"], "square"),
        helper.make_node("ReduceMean", ["square"], ["mean"], "mean"),
        helper.make_node("Sqrt", ["mean"], ["root"], "root"),
        helper.make_node("Div", ["large", "root"], ["y"], "quotient"),
    ]
    weights = {"body.scale": np.array(300, np.float16)}
    artifact = _saved(tmp_path / "half.onnx", nodes, weights, _HALF, "fp16")

    class HalfDevice(WrongDevice):
        """Stores each value in float16, as a GPU does and this machine's runtime does not."""

    half = HalfDevice({"square": lambda value: np.where(np.abs(value) > 6e4, np.inf, value)})
    found = _found(artifact, half)
    (wrong,) = found.wrong
    assert wrong.operators == ("square",)
    assert wrong.reason is not None
    assert wrong.reason.startswith("it overflows float16: its values reach")
    assert wrong.advice == "keep it in float32: affnet export --keep-float body"
    assert found.unseen == 2  # float16 holds neither the squares nor their mean
    assert "not judged: 2 operators" in report.fields([found])["operators on wrong"]


def test_says_by_how_much_two_runs_differ(tmp_path: Path) -> None:
    found = _found(_network(tmp_path / "net.onnx"), WrongDevice({}, noise=1e-5))
    assert 0 < found.repeat_error < 2e-5
    assert found.clean


class _Refusing(WrongDevice):
    """Runs no file that ends with a product, and no part that begins behind one."""

    def check(self, artifact: Artifact) -> None:
        if {"m"} & {spec.name for spec in artifact.manifest.outputs}:
            raise ArtifactError("That file is refused.")


def test_an_operator_that_cannot_be_cut_off_is_named_with_its_neighbour(tmp_path: Path) -> None:
    found = _found(_network(tmp_path / "net.onnx"), _Refusing({"mul": _spoiled}))
    (wrong,) = found.wrong  # what the product gives is read up to the sigmoid
    assert (wrong.operators[0], wrong.operators[-1]) == ("mul", "sigmoid")
    assert not wrong.together
    assert found.refused > 0


class _Vanishing(WrongDevice):
    def check(self, artifact: Artifact) -> None:
        if self.started > 3:
            raise ConnectionLostError("The board went away.")


def test_a_device_that_vanishes_ends_the_search_with_what_it_had_found(tmp_path: Path) -> None:
    found = _found(_network(tmp_path / "net.onnx"), _Vanishing({"sigmoid": _spoiled}))
    assert found.ended is not None
    assert found.ended == (
        "The board went away; the next wrong operator is one of the 3 from sigmoid (Sigmoid) to "
        "add (Add)"
    )
    shown = report.fields([found])["operators on wrong"]
    assert shown.startswith("none of 11 named with onnxruntime")
    assert "not judged" not in shown
    assert not found.clean


class _Crashing(WrongDevice):
    def check(self, artifact: Artifact) -> None:
        if self.started > 2:
            raise MeasurementError("The driver crashed.")


def test_a_device_that_crashes_on_every_part_ends_the_search(tmp_path: Path) -> None:
    found = _found(_network(tmp_path / "net.onnx"), _Crashing({"conv": _spoiled}))
    assert found.ended is not None
    assert found.refused == 3


def test_the_whole_file_must_run(tmp_path: Path) -> None:
    class Dead(WrongDevice):
        def check(self, artifact: Artifact) -> None:
            raise MeasurementError("It is dead.")

    with pytest.raises(MeasurementError, match="It is dead"):
        _found(_network(tmp_path / "net.onnx"), Dead({}))


def test_a_device_that_takes_no_inputs_is_refused(tmp_path: Path) -> None:
    from affnet.devices.fake import FakeDevice

    artifact = _network(tmp_path / "net.onnx")
    with pytest.raises(UsageError, match="takes no inputs from here"):
        bisect(OnnxGraph(artifact, (_X,)), artifact, FakeDevice(), "noise")


def test_a_damaged_file_is_an_error_of_the_reference(tmp_path: Path) -> None:
    artifact = _saved(tmp_path / "net.onnx", [helper.make_node("Relu", ["z"], ["y"])], {})
    with pytest.raises(ArtifactError, match="ONNX Runtime rejects"):
        OnnxGraph(artifact, (_X,))


def test_a_format_that_cannot_be_cut_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        check_cuttable("ncnn")
    assert refused.value.problem == "Files of the format ncnn cannot be cut into parts here"
    assert refused.value.remedy == (
        "bisect the network's file of another format: coreai, coreml, executorch, onnx, openvino, "
        "tflite."
    )
