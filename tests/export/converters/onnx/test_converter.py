"""The ONNX converter's own checks: each way to a wrong file ends in a sentence."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxsim
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from affnet.artifact import TensorSpec, image_spec, logits_spec
from affnet.errors import ConversionError, MissingError, UnknownNameError
from affnet.export.converters import CONVERTERS, ConversionRequest, check_installed, get_converter
from affnet.export.converters.onnx.converter import OnnxConverter, _check
from affnet.export.converters.torch import TorchConverter
from affnet.export.fourier.plans.dense import DensePlan
from affnet.export.passes.folding import fold_linear_maps
from affnet.model.mixer import AdaptiveFrequencyFilter
from affnet.runtimes import runtime_for
from affnet.runtimes.onnxruntime import OnnxRuntime
from tests.conftest import complaint
from tests.tiny import CLASSES, noise, tiny_net

REQUEST = ConversionRequest(
    "net", (image_spec(32, 32),), (logits_spec(CLASSES),), "fp32", "torch.export", native_fft=False
)


class DataDependent(nn.Module):
    """Branches on a value, which no export can follow."""

    def forward(self, x: Tensor) -> Tensor:
        return x if float(x.sum()) > 0 else -x


def model_of(
    *operators: tuple[str, str], shapes: tuple[tuple[int, ...], ...] = ((1, 3), (1, 3))
) -> onnx.ModelProto:
    nodes, last = [], "x"
    for index, (domain, operator) in enumerate(operators):
        nodes.append(helper.make_node(operator, [last], [f"y{index}"], domain=domain))
        last = f"y{index}"
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shapes[0])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, shapes[1])],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.example", 1)]
    return helper.make_model(graph, opset_imports=opsets)


def test_every_registered_converter_has_its_name_and_fp32() -> None:
    for name in CONVERTERS:
        converter = get_converter(name)
        assert converter.format == name
        assert "fp32" in converter.precisions
        assert converter.auto_fft in ("auto", "native")
        assert "torch" in converter.tools


@pytest.mark.parametrize("attn_norm", ["layer_norm_2d", "layer_norm"])
def test_float16_inside_and_float32_at_the_borders(tmp_path: Path, attn_norm: str) -> None:
    request = dataclasses.replace(REQUEST, precision="fp16")
    network = tiny_net(attn_norm=attn_norm)
    for module in list(network.modules()):
        if isinstance(module, AdaptiveFrequencyFilter):
            module.transform = DensePlan(4, 4)
    fold_linear_maps(network)
    path = OnnxConverter().convert(network, request, tmp_path).path
    model = onnx.load(path)
    assert {tensor.data_type for tensor in model.graph.initializer} == {
        TensorProto.FLOAT16,
        TensorProto.INT64,
    }
    described = OnnxRuntime.describe(path)
    assert described.precision == "fp16"
    assert {spec.dtype for spec in (*described.inputs, *described.outputs)} == {"float32"}
    # no square is a value of the graph, in either normalisation: float16 holds those up to 256
    kinds = [node.op_type for node in model.graph.node]
    assert "Pow" not in kinds
    assert "Sqrt" not in kinds
    image = noise(1, 3, 32, 32).abs()
    expected = tiny_net(attn_norm=attn_norm)(image).detach().numpy()
    (actual,) = OnnxRuntime.load(path, threads=1).run(image.numpy())
    assert abs(actual - expected).max() < 5e-3 * abs(expected).max()


def test_an_unknown_format_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(
        UnknownNameError,
        match=r"Unknown format 'tfjs'; valid: coreai, coreml, executorch, mnn, ncnn, onnx, ",
    ):
        get_converter("tfjs")


@pytest.mark.parametrize("converter", [OnnxConverter, TorchConverter])
def test_a_network_that_cannot_be_traced_is_a_conversion_error(
    converter: type[OnnxConverter | TorchConverter], tmp_path: Path
) -> None:
    with pytest.raises(ConversionError) as error:
        converter().convert(DataDependent(), REQUEST, tmp_path)
    prefix = {"onnx": "torch.onnx cannot export net: ", "torch": "torch.export fails on net: "}
    message = str(error.value)
    assert message.startswith(prefix[converter.format])
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []


def test_an_error_without_a_message_is_told_by_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(torch.export, "export", fail)
    with pytest.raises(ConversionError) as error:
        TorchConverter().convert(tiny_net(), REQUEST, tmp_path)
    assert str(error.value) == "torch.export fails on net: AssertionError."


def test_a_simplification_that_changes_the_function_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxsim, "simplify", lambda model: (model, False))
    monkeypatch.setattr(
        "affnet.export.converters.onnx.converter._export", lambda *_: model_of(("", "Relu"))
    )
    with pytest.raises(ConversionError, match="onnxsim changed what the network computes"):
        OnnxConverter().convert(tiny_net(), REQUEST, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_simplifier_that_fails_is_a_conversion_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: onnx.ModelProto) -> None:
        raise RuntimeError("shape inference failed\nat node 7")

    monkeypatch.setattr(onnxsim, "simplify", fail)
    monkeypatch.setattr(
        "affnet.export.converters.onnx.converter._export", lambda *_: model_of(("", "Relu"))
    )
    with pytest.raises(ConversionError) as error:
        OnnxConverter().convert(tiny_net(), REQUEST, tmp_path)
    assert str(error.value) == "onnxsim cannot simplify the network: shape inference failed."


def test_a_valid_model_passes_the_checks() -> None:
    model = model_of(("", "Relu"), ("", "Exp"))
    assert complaint(_check, model, native_fft=False) is None


def test_an_invalid_model_is_refused_with_the_checkers_reason() -> None:
    with pytest.raises(ConversionError, match=r"onnx's checker rejects the result: .*NoSuchOp"):
        _check(model_of(("", "NoSuchOp")), native_fft=False)


def test_nodes_of_another_domain_are_named() -> None:
    model = model_of(("", "Relu"), ("com.example", "Fused"))
    with pytest.raises(ConversionError) as error:
        _check(model, native_fft=False)
    assert str(error.value) == "Nodes outside the default domain remain: com.example::Fused."


def test_dft_nodes_are_refused_unless_asked_for() -> None:
    model = model_of(("", "DFT"), shapes=((1, 8, 8, 1), (1, 8, 8, 2)))
    _check(model, native_fft=True)
    with pytest.raises(ConversionError, match="DFT nodes remain in a network whose FFTs were to"):
        _check(model, native_fft=False)


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxsim"])
def test_a_missing_package_is_answered_with_the_command(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingError) as error:
        check_installed(OnnxConverter)
    assert str(error.value) == (
        f"Exporting to onnx needs the package {package!r}, which is not installed; "
        "run: pip install 'affnet'"
    )


def test_the_file_holds_the_name_shapes_and_opset_of_the_request(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3600, 2)).eval()
    conversion = OnnxConverter().convert(net, REQUEST, tmp_path)
    assert conversion.path == tmp_path / "net.onnx"
    model = onnx.load(conversion.path)
    assert [value.name for value in model.graph.input] == ["image"]
    assert [value.name for value in model.graph.output] == ["logits"]
    assert sum(node.op_type == "Conv" for node in model.graph.node) == 1
    reference = onnx.reference.ReferenceEvaluator(model)
    image = torch.ones(1, 3, 32, 32)
    (logits,) = reference.run(None, {"image": image.numpy()})
    assert torch.allclose(torch.from_numpy(logits), net(image), atol=1e-6)


class TwoConvolutions(nn.Module):
    """Two parts, and nothing that float16 cannot hold."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Conv2d(4, CLASSES, 32)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x)).flatten(1)


class FirstOverflows:
    """A device whose float16 arithmetic the convolution with 4 channels does not survive."""

    place = "a board"

    def excess(self, file: Path) -> float:
        halves = [
            tuple(tensor.dims)
            for tensor in onnx.load(file).graph.initializer
            if tensor.data_type == TensorProto.FLOAT16
        ]
        return float("inf") if (4, 3, 3, 3) in halves else 0.1


def test_a_part_that_a_devices_float16_hurts_stays_in_float32(tmp_path: Path) -> None:
    request = dataclasses.replace(REQUEST, precision="fp16", half_trial=FirstOverflows())
    made = OnnxConverter().convert(TwoConvolutions().eval(), request, tmp_path)
    found = made.details["float16"]
    assert found["tried_on"] == "a board"
    assert found["kept_parts"] == [{"part": "first", "error": None}]
    kinds = {
        tuple(tensor.dims): tensor.data_type for tensor in onnx.load(made.path).graph.initializer
    }
    assert kinds[4, 3, 3, 3] == TensorProto.FLOAT
    assert kinds[CLASSES, 4, 32, 32] == TensorProto.FLOAT16
    assert [path.name for path in tmp_path.iterdir()] == [made.path.name]


@pytest.mark.parametrize(("target", "largest"), [("any", 64), ("x86", 64), ("arm", 127)])
def test_weights_for_arm_have_8_bits(tmp_path: Path, target: str, largest: int) -> None:
    images = tuple((noise(1, 3, 32, 32).abs().numpy(),) for _ in range(2))
    request = dataclasses.replace(REQUEST, precision="int8", calibration=images, target=target)
    made = OnnxConverter().convert(TwoConvolutions().eval(), request, tmp_path)
    assert made.details["target"] == target
    weights = [
        abs(numpy_helper.to_array(tensor).astype(int)).max()
        for tensor in onnx.load(made.path).graph.initializer
        if tensor.data_type == TensorProto.INT8 and len(tensor.dims) == 4
    ]
    assert weights == [largest, largest]


@pytest.mark.parametrize(
    ("activation", "opset", "operator"),
    [(nn.GELU(), 20, "Gelu"), (nn.GELU("tanh"), 20, "Gelu"), (nn.SiLU(), 18, "Sigmoid")],
)
def test_a_gelu_is_one_operator(
    activation: nn.Module, opset: int, operator: str, tmp_path: Path
) -> None:
    network = nn.Sequential(nn.Conv2d(3, CLASSES, 32), activation, nn.Flatten()).eval()
    made = OnnxConverter().convert(network, REQUEST, tmp_path)
    assert made.details["opset"] == opset
    kinds = [node.op_type for node in onnx.load(made.path).graph.node]
    assert operator in kinds
    assert "Erf" not in kinds
    image = noise(1, 3, 32, 32)
    (actual,) = OnnxRuntime.load(made.path, threads=1).run(image.numpy())
    torch.testing.assert_close(torch.from_numpy(actual), network(image).detach())


def test_what_onnxsim_writes_for_one_runtime_alone_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simplify = onnxsim.simplify

    def with_attention(model: onnx.ModelProto) -> tuple[onnx.ModelProto, bool]:
        simplified, unchanged = simplify(model)
        simplified.graph.node[0].domain = "com.microsoft"
        return simplified, unchanged

    monkeypatch.setattr(onnxsim, "simplify", with_attention)
    made = OnnxConverter().convert(TwoConvolutions().eval(), REQUEST, tmp_path)
    assert {node.domain for node in onnx.load(made.path).graph.node} == {""}


class LastState(nn.Module):
    """A recurrent layer, from zeros or from ones, of which only the last state is used."""

    def __init__(self, layer: type[nn.GRU | nn.LSTM], first: float) -> None:
        super().__init__()
        self.layer = layer(3, 4, batch_first=True)
        self.first = torch.full((1, 1, 4), first)

    def forward(self, x: Tensor) -> Tensor:
        pair = (self.first, self.first)
        state = self.layer(x, pair if isinstance(self.layer, nn.LSTM) else self.first)[1]
        return state if isinstance(state, Tensor) else state[0]


@pytest.mark.parametrize("first", [0.0, 1.0])
@pytest.mark.parametrize("layer", [nn.GRU, nn.LSTM])
@pytest.mark.parametrize("format_", ["onnx", pytest.param("mnn", marks=pytest.mark.converters)])
def test_a_recurrent_layer_may_give_its_last_state_alone(
    format_: str, layer: type[nn.GRU | nn.LSTM], first: float, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network, example = LastState(layer, first).eval(), torch.randn(1, 5, 3)
    specs = TensorSpec("x", (1, 5, 3), "float32"), TensorSpec("y", (1, 1, 4), "float32")
    request = dataclasses.replace(REQUEST, inputs=specs[:1], outputs=specs[1:])
    made = get_converter(format_)().convert(network, request, tmp_path)
    (given,) = runtime_for(format_).load(made.path, threads=1).run(example.numpy())
    with torch.no_grad():
        assert np.abs(given - network(example).numpy()).max() <= 1e-6
