"""Files of 8 bits, of each format that has them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from affnet.artifact import Artifact
from affnet.errors import UsageError
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.export.quantization.calibration import load_calibration
from affnet.export.quantization.sensitivity import KeptFloat
from affnet.export.verification.compare import verify_held_out
from affnet.export.verification.subject import Subject, run_batches
from affnet.model.source import load_source
from affnet.runtimes import runtime_for
from tests.packages import need_openvino
from tests.tiny import tiny_source


def options(format_: str, precision: str = "int8", **changes) -> ExportOptions:
    calibration = load_calibration(tiny_source(), "bundled", 20)
    return ExportOptions(format_, precision=precision, calibration=calibration, **changes)


def outputs(artifact: Artifact, images: np.ndarray) -> np.ndarray:
    subject = Subject.of(artifact)
    return run_batches(subject.load(), images, subject.input)


def test_onnx_holds_weights_of_8_bits_between_q_and_dq(tmp_path: Path) -> None:
    import onnx
    from onnx import numpy_helper

    artifact = export_artifact(tiny_source(), options("onnx"), tmp_path)
    assert artifact.path.name == "tiny_int8.onnx"
    assert artifact.manifest.precision == "int8"
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.psnr_db > 25
    assert artifact.manifest.parity.inputs == 20  # those that calibrated it
    graph = onnx.load(artifact.path).graph
    weights = [numpy_helper.to_array(tensor) for tensor in graph.initializer]
    assert max(w.size for w in weights if w.dtype == np.int8) == 3 * 16 * 8 * 8  # the stem's
    assert max((w.size for w in weights if w.dtype == np.float32), default=0) < 100  # scales
    largest = max(np.abs(w.astype(int)).max() for w in weights if w.dtype == np.int8)
    assert 2 * 255 * largest < 2**15  # two products, which x86 may add in 16 bits
    assert runtime_for("onnx").describe(artifact.path).precision == "int8"


def test_parts_that_are_kept_in_float_are_not_quantised(tmp_path: Path) -> None:
    import onnx

    part = "stage.global_rep.0.filter: DFT"
    kept = options("onnx", kept_float=(KeptFloat(part, 0.5),))
    artifact = export_artifact(tiny_source(), kept, tmp_path)
    graph = onnx.load(artifact.path).graph
    made_by = {output: node.op_type for node in graph.node for output in node.output}
    constants = {tensor.name for tensor in graph.initializer}
    products = [node for node in graph.node if node.op_type == "MatMul"]
    assert len(products) == 3
    assert all(node.input[1] in constants for node in products)  # no DequantizeLinear between
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert all(made_by.get(node.input[1]) == "DequantizeLinear" for node in convolutions)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_module_that_the_user_names_stays_in_float32(tmp_path: Path, precision: str) -> None:
    import onnx
    from onnx import numpy_helper

    kept = options("onnx", precision, keep_float=("stem",))
    artifact = export_artifact(tiny_source(), kept, tmp_path)
    tensors = map(numpy_helper.to_array, onnx.load(artifact.path).graph.initializer)
    types = {str(one.dtype) for one in tensors if one.shape == (16, 3, 8, 8)}
    assert types == {"float32"}  # the stem's
    assert artifact.manifest.details["keep_float"] == ["stem"]


@pytest.mark.parametrize(
    ("format_", "precision", "module", "words"),
    [
        ("onnx", "fp32", "stem", "in the precisions fp16, int8; add --precision fp16"),
        ("torch", "fp32", "stem", "--keep-float does not apply to the format torch"),
        ("onnx", "int8", "stern", "tiny has no module 'stern'; name one .*, such as stem"),
    ],
)
def test_a_module_that_cannot_stay_in_float32_is_wrong_use(
    tmp_path: Path, format_: str, precision: str, module: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        export_artifact(tiny_source(), options(format_, precision, keep_float=(module,)), tmp_path)


def test_int8_without_images_is_wrong_use(tmp_path: Path) -> None:
    lacking = dataclasses.replace(options("onnx"), calibration=None)
    with pytest.raises(UsageError, match="needs images or samples to calibrate with: --cal"):
        export_artifact(tiny_source(), lacking, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.converters
@pytest.mark.parametrize("precision", ["int8", "int8-weights"])
def test_tflite_holds_weights_of_8_bits(tmp_path: Path, precision: str) -> None:
    from ai_edge_litert.interpreter import Interpreter

    artifact = export_artifact(tiny_source(), options("tflite", precision), tmp_path)
    assert artifact.path.name == f"tiny_{precision.replace('-', '_')}.tflite"
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.psnr_db > 25
    details = Interpreter(str(artifact.path)).get_tensor_details()
    eight = [entry for entry in details if entry["dtype"] is np.int8]
    stem = next(entry for entry in eight if tuple(entry["shape"]) == (16, 8, 8, 3))
    assert len(stem["quantization_parameters"]["scales"]) == 16  # one per output channel


@pytest.mark.converters
def test_openvino_multiplies_in_8_bits(tmp_path: Path) -> None:
    need_openvino()
    from affnet.runtimes.openvino import OpenVinoRuntime, OpenVinoSession

    artifact = export_artifact(tiny_source(), options("openvino"), tmp_path)
    assert artifact.path.name == "tiny_int8.xml"
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.psnr_db > 25
    assert OpenVinoRuntime.describe(artifact.path).precision == "int8"
    session = OpenVinoSession(artifact.path, threads=1, profile=True)
    session.run(np.zeros(artifact.manifest.inputs[0].shape, np.float32))
    ran = {(one.node_type, one.exec_type.lower()) for one in session._request.profiling_info}
    assert any(kind == "Convolution" and how.endswith("_i8") for kind, how in ran)
    operators = OpenVinoRuntime.operators(artifact.path)
    assert operators["FakeQuantize"] > 0
    assert "ShapeOf" not in operators  # nothing is left that prepares weights


@pytest.mark.converters
def test_mnn_holds_weights_of_8_bits(tmp_path: Path) -> None:
    pytest.importorskip("_mnncengine", reason="needs MNN (pip install 'affnet[mnn]')")
    sizes, quality = {}, {}
    for precision in ("fp32", "int8-weights"):
        artifact = export_artifact(tiny_source(), options("mnn", precision), tmp_path)
        assert artifact.manifest.parity is not None
        stored = artifact.manifest.details["weights"]
        sizes[stored] = artifact.path.stat().st_size
        quality[stored] = artifact.manifest.parity.psnr_db
    assert sizes["int8"] < sizes["float32"]
    assert 25 < quality["int8"] < 100 < quality["float32"]


@pytest.mark.converters
def test_tflite_gives_no_scale_to_rounding_noise(tmp_path: Path) -> None:
    from ai_edge_litert import schema_py_generated as schema

    source = tiny_source()
    twice, difference = torch.nn.Linear(16, 2), torch.nn.Linear(2, 5, bias=False)
    with torch.no_grad():  # zero, as the imaginary part of a transform of two points
        twice.weight[1], twice.bias[1] = twice.weight[0], twice.bias[0]
        difference.weight[:] = torch.tensor([1.0, -1.0])
    source.model.stage = torch.nn.Identity()  # any layers will do
    source.model.fc = torch.nn.Sequential(twice, difference)
    artifact = export_artifact(source, options("tflite", verify=False), tmp_path)
    # read, not loaded: where XNNPACK refuses scales, LiteRT aborts the process
    (graph,) = schema.ModelT.InitFromPackedBuf(artifact.path.read_bytes()).subgraphs
    scales = [t.quantization.scale if t.quantization else None for t in graph.tensors]
    products = [
        max(scales[op.inputs[0]]) * max(scales[op.inputs[1]]) / min(scales[op.outputs[0]])
        for op in graph.operators
        if isinstance(op.builtinOptions, schema.FullyConnectedOptionsT)
        and scales[op.outputs[0]] is not None
    ]
    assert len(products) == 2
    assert max(products) < 256


@pytest.mark.converters
@pytest.mark.parametrize(
    "stage", [pytest.param(True, id="whole", marks=pytest.mark.exhaustive), False]
)
def test_executorch_leaves_nothing_of_8_bits_undelegated(tmp_path: Path, stage: bool) -> None:
    source = tiny_source()
    if not stage:
        source.model.stage = torch.nn.Identity()  # convolutions and a classifier are left
    artifact = export_artifact(source, options("executorch"), tmp_path)
    assert artifact.path.name == "tiny_int8.pte"
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.psnr_db > 25
    refused = {entry["operator"] for entry in artifact.manifest.details["undelegated"]}
    assert not refused & {"convolution", "linear", "add", "mul"}
    held, used = constants(artifact.path)
    assert held <= used  # no weights in float32 beside those in 8 bits


def constants(program: Path) -> tuple[set[int], set[int]]:
    """Return which values of an ExecuTorch program are constants, and which anything takes."""
    from executorch.exir._serialize._program import deserialize_pte_binary

    (plan,) = deserialize_pte_binary(program.read_bytes()).program.execution_plan
    held = {i for i, value in enumerate(plan.values) if getattr(value.val, "data_buffer_idx", 0)}
    steps = [step.instr_args for chain in plan.chains for step in chain.instructions]
    return held, {index for step in steps for index in getattr(step, "args", ())}


@pytest.mark.exhaustive
def test_the_trained_network_keeps_its_accuracy(tmp_path: Path) -> None:
    source = load_source("digits")
    calibration = load_calibration(source, None, 100)
    chosen = ExportOptions("onnx", precision="int8", calibration=calibration)
    artifact = export_artifact(source, chosen, tmp_path)
    found = verify_held_out(Subject.of(artifact), source)
    assert found.top1 >= found.top1_pytorch - 0.01
    assert artifact.file_bytes <= 0.36 * 3_638_587  # of the file in float32
