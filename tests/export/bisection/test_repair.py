"""Operators in other forms, and files that are made right on a device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from affnet.artifact import Artifact, TensorSpec
from affnet.errors import ConnectionLostError, MeasurementError, UsageError, VerificationError
from affnet.export.bisection.onnx_forms import FORMS, convolution_of_each_group, fitting, rewritten
from affnet.export.bisection.repair import repaired
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.export.verification.inputs import VerificationInput
from affnet.runtimes import Interface
from affnet.runtimes.foreign import described
from affnet.runtimes.onnx_rounded import unoptimised_session
from tests.export.bisection.doubles import WrongDevice
from tests.tiny import tiny_source

_RANDOM = np.random.default_rng(0)
_X = _RANDOM.standard_normal((2, 6, 8, 8)).astype(np.float32)


def _weight(*shape: int) -> NDArray[np.float32]:
    return _RANDOM.standard_normal(shape).astype(np.float32)


def _model(
    nodes: list[onnx.NodeProto], weights: dict[str, NDArray[Any]], shape: tuple[int, ...]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return onnx.shape_inference.infer_shapes(model)


def _grouped(**attributes: Any) -> onnx.NodeProto:
    return helper.make_node("Conv", ["x", "w", "b"], ["y"], "one", group=3, **attributes)


@pytest.mark.parametrize(
    ("node", "weights", "shape"),
    [
        (_grouped(), {"w": _weight(15, 2, 1, 1), "b": _weight(15)}, _X.shape),
        (
            _grouped(strides=[2, 1], pads=[1, 0, 2, 1], dilations=[1, 2]),
            {"w": _weight(3, 2, 3, 3), "b": _weight(3)},
            _X.shape,
        ),
        (
            helper.make_node("Gemm", ["x", "w", "b"], ["y"], "one", transB=1),
            {"w": _weight(4, 8), "b": _weight(4)},
            (3, 8),
        ),
        (helper.make_node("Gemm", ["x", "w"], ["y"], "one"), {"w": _weight(8, 4)}, (3, 8)),
        (helper.make_node("Sigmoid", ["x"], ["y"], "one"), {}, _X.shape),
    ],
)
def test_each_form_computes_the_same(
    node: onnx.NodeProto, weights: dict[str, NDArray[Any]], shape: tuple[int, ...]
) -> None:
    model = _model([node], weights, shape)
    x = _weight(*shape)
    (expected,) = unoptimised_session(model, 1).run(None, {"x": x})
    for form in FORMS[node.op_type]:
        assert fitting(model, node.op_type, form) == [["one"]]
        changed = rewritten(model, ["one"], form)
        onnx.checker.check_model(changed, full_check=True)
        assert node not in changed.graph.node
        (given,) = unoptimised_session(changed, 1).run(None, {"x": x})
        np.testing.assert_allclose(given, expected, atol=1e-5 * np.abs(expected).max())
        read = {name for each in changed.graph.node for name in each.input}
        assert {tensor.name for tensor in changed.graph.initializer} <= read


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("Conv", ["x", "w"], ["y"], "one"),
        helper.make_node("Conv", ["x", "computed"], ["y"], "one", group=3),
        helper.make_node("Gemm", ["x", "w"], ["y"], "one", alpha=2.0),
        helper.make_node("Gemm", ["x", "w"], ["y"], "one", transA=1),
    ],
)
def test_a_form_knows_which_nodes_it_does_not_fit(node: onnx.NodeProto) -> None:
    model = helper.make_model(
        helper.make_graph([node], "g", [], [], [numpy_helper.from_array(_weight(6, 6), "w")])
    )
    for form in FORMS[node.op_type]:
        assert fitting(model, node.op_type, form) == []
        assert rewritten(model, ["one"], form).graph.node == model.graph.node


def _convolutions(path: Path) -> Artifact:
    nodes = [
        helper.make_node("Conv", ["x", "body.0.weight"], ["a"], "first", group=3),
        helper.make_node("Conv", ["a", "body.1.weight"], ["b"], "second", group=3),
        helper.make_node("Conv", ["b", "body.2.weight"], ["c"], "third", group=2),
        helper.make_node("Conv", ["c", "body.3.weight"], ["d"], "fourth", group=6),
        helper.make_node("Conv", ["d", "head.weight"], ["y"], "last"),
    ]
    weights = {
        "body.0.weight": _weight(6, 2, 1, 1),
        "body.1.weight": _weight(6, 2, 1, 1),
        "body.2.weight": _weight(6, 3, 1, 1),
        "body.3.weight": _weight(6, 1, 1, 1),
        "head.weight": _weight(2, 6, 1, 1),
    }
    onnx.save(_model(nodes, weights, _X.shape), path)
    specs = TensorSpec("x", _X.shape, "float32"), TensorSpec("y", (2, 2, 8, 8), "float32")
    return described(path, Interface((specs[0],), (specs[1],), "fp32"))


def test_alike_are_nodes_of_the_same_attributes_and_shapes(tmp_path: Path) -> None:
    model = onnx.load(_convolutions(tmp_path / "net.onnx").path)
    before = model.SerializeToString()
    groups = fitting(model, "Conv", convolution_of_each_group)
    assert groups == [["first", "second"], ["third"], ["fourth"]]
    assert model.SerializeToString() == before


def _double(value: NDArray[Any]) -> NDArray[Any]:
    return 2 * value


def test_operators_like_a_wrong_one_are_run_alone_and_written_in_the_same_round(
    tmp_path: Path,
) -> None:
    artifact = _convolutions(tmp_path / "net.onnx")
    (tmp_path / "new").mkdir()
    # the device knows the operators by their names, which the new ones do not have
    device = WrongDevice(dict.fromkeys(("first", "second", "fourth"), _double))
    given = VerificationInput("noise", (_X,))
    changed, (repair,) = repaired(artifact, given, device, tmp_path / "new")
    assert changed.path == tmp_path / "new" / "net.onnx"
    assert repair.operators == ("first", "second", "fourth")
    assert (repair.kind, repair.module, repair.device) == ("Conv", "body.3", "wrong")
    assert repair.form == "convolution_of_each_group"
    assert repair.error == pytest.approx(1.0)
    kinds = [node.op_type for node in onnx.load(changed.path).graph.node]
    pair, three, six = ["Conv"], ["Conv"] * 3, ["Conv"] * 6
    assert kinds == [
        *["Split", *three, "Concat"] * 2, *pair, "Split", *six, "Concat", *pair
    ]  # fmt: skip
    # the file, its halves, the last wrong one alone, two others like it alone, and the new file
    assert device.started <= 1 + 3 + 1 + 2 + 1


def test_a_file_that_is_right_stays_as_it_is(tmp_path: Path) -> None:
    artifact, device = _convolutions(tmp_path / "net.onnx"), WrongDevice({})
    given = VerificationInput("noise", (_X,))
    assert repaired(artifact, given, device, tmp_path) == (artifact, [])
    assert device.started == 1


def test_an_operator_without_another_form_is_named(tmp_path: Path) -> None:
    artifact = _convolutions(tmp_path / "net.onnx")
    given = VerificationInput("noise", (_X,))
    with pytest.raises(VerificationError, match=r"On wrong last \(Conv\) of net.onnx is wrong by"):
        repaired(artifact, given, WrongDevice({"last": _double}), tmp_path)


def test_an_export_is_made_right_on_a_device_before_it_appears(tmp_path: Path) -> None:
    device = WrongDevice({"node_Sigmoid_31": np.zeros_like})
    options = ExportOptions("onnx", prove_on=(device,), repair_on=frozenset({device.name}))
    made = export_artifact(tiny_source(), options, tmp_path)
    repairs = made.manifest.details["repairs"]
    assert [(one["kind"], one["form"]) for one in repairs] == [("Sigmoid", "sigmoid_by_tanh")]
    assert made.manifest.details["repair_latency_ns"] == {"wrong": {"before": 1, "after": 1}}
    assert made.manifest.proofs[0].parity.passed
    assert made.manifest.parity is not None
    assert made.manifest.parity.passed
    assert Artifact.open(made.path).manifest.details["repairs"] == [
        {**one, "operators": [*one["operators"]]} for one in repairs
    ]
    kinds = {node.op_type for node in onnx.load(made.path).graph.node}
    assert "Tanh" in kinds


def test_a_device_that_vanishes_ends_the_export_with_one_attempt(tmp_path: Path) -> None:
    """Another plan of its transforms is no remedy for that."""

    class Vanishing(WrongDevice):
        def check(self, artifact: Artifact) -> None:
            if self.started > 1:
                raise ConnectionLostError("The board went away.")

    device = Vanishing({"node_Sigmoid_31": np.zeros_like})
    options = ExportOptions("onnx", prove_on=(device,), repair_on=frozenset({device.name}))
    with pytest.raises(MeasurementError, match="stopped: The board went away; the next wrong"):
        export_artifact(tiny_source(), options, tmp_path)
    assert device.started == 2
    assert list(tmp_path.iterdir()) == []


def test_a_format_that_cannot_be_repaired_is_refused(tmp_path: Path) -> None:
    options = ExportOptions("torch", prove_on=(WrongDevice({}),), repair_on=frozenset({"wrong"}))
    with pytest.raises(UsageError, match="Files of the format torch cannot be repaired"):
        export_artifact(tiny_source(), options, tmp_path)
