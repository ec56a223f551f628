"""Where the runtimes of this machine run operators, by their own accounts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affnet.artifact import Artifact
from affnet.errors import ArtifactError
from affnet.parity import reference_inputs
from affnet.placement import PlacedOperator, Placement
from affnet.runtimes import get_runtime
from affnet.runtimes.litert import LiteRtRuntime, delegated_nodes, file_nodes
from affnet.runtimes.litert_log import DelegateLog
from affnet.runtimes.onnxruntime_log import read_placement
from affnet.runtimes.onnxruntime_profile import placed_operators


def placement(artifact: Artifact, runtime: str) -> Placement:
    inputs = reference_inputs(artifact.manifest.described_inputs())
    found = get_runtime(runtime).placement(artifact.path, threads=1, inputs=inputs)  # type: ignore[attr-defined]
    assert isinstance(found, Placement)
    return found


def test_onnxruntime_runs_all_on_the_cpu(digits_onnx: Artifact) -> None:
    found = placement(digits_onnx, "onnxruntime")
    assert found.text() == "100 % cpu"
    assert {"Conv", "MatMul"} <= {one.operator for one in found.operators}


@pytest.mark.converters
def test_litert_hands_a_whole_network_to_xnnpack(tiny_tflite: Artifact) -> None:
    found = placement(tiny_tflite, "litert")
    assert found.text() == "100 % xnnpack"
    assert len(found.operators) == sum(LiteRtRuntime.operators(tiny_tflite.path).values())


@pytest.mark.converters
def test_litert_s_own_kernels_run_what_xnnpack_lacks(tmp_path: Path) -> None:
    from tests.runtimes.tflite_files import write_chain

    file = write_chain(tmp_path / "chain.tflite", ["RELU", "LOG_SOFTMAX", "ABS", "NEG"])
    found = LiteRtRuntime.placement(file, threads=1, inputs=(np.ones((1, 4), np.float32),))
    assert [(one.name, one.operator, one.unit) for one in found.operators] == [
        ("t1", "RELU", "xnnpack"),
        ("t2", "LOG_SOFTMAX", "cpu"),
        ("t3", "ABS", "xnnpack"),
        ("t4", "NEG", "xnnpack"),
    ]
    assert found.fallen_text() == "1 LOG_SOFTMAX on CPU (XNNPACK did not take it)"
    assert file_nodes(file) == [(one.name, one.operator) for one in found.operators]


def node(index: int, kind: str, inputs: list[int], outputs: list[int]) -> dict[str, Any]:
    return {"index": index, "op_name": kind, "inputs": inputs, "outputs": outputs}


def test_parts_of_a_delegate_end_at_its_inputs() -> None:
    nodes = [
        node(0, "A", [0], [1]),
        node(1, "B", [1], [2]),  # between two parts
        node(2, "C", [2, 1], [3]),
        node(3, "DELEGATE", [0], [1]),
        node(4, "DELEGATE", [2, 1], [3]),
    ]
    assert delegated_nodes(nodes) == {0, 2}


@pytest.mark.converters
def test_executorch_s_file_says_what_xnnpack_runs(tiny_pte: Artifact, tmp_path: Path) -> None:
    found = placement(tiny_pte, "executorch")
    assert found.text() == "100 % xnnpack"
    assert {"Conv2d", "FullyConnected"} <= {one.operator for one in found.operators}
    damaged = tmp_path / "damaged.pte"
    damaged.write_bytes(tiny_pte.path.read_bytes()[:200])
    with pytest.raises(ArtifactError):
        get_runtime("executorch").placement(damaged, threads=1, inputs=())  # type: ignore[attr-defined]


def event(name: str, kind: str, provider: str) -> str:
    return (
        f'{{"cat": "Node", "name": "{name}_kernel_time", "ts": 1, "dur": 1, '
        f'"args": {{"op_name": "{kind}", "provider": "{provider}"}}}}'
    )


def test_a_profile_names_the_provider_of_each_node() -> None:
    events = [
        event("a", "Conv", "CUDAExecutionProvider"),
        event("b", "DFT", "CPUExecutionProvider"),
        event("a", "Conv", "CUDAExecutionProvider"),  # of another run
    ]
    assert placed_operators(f"[{', '.join(events)}]") == (
        PlacedOperator("a", "Conv", "gpu"),
        PlacedOperator("b", "DFT", "cpu"),
    )
    with pytest.raises(ValueError, match="provider"):
        placed_operators('[{"cat": "Node", "name": "a_kernel_time", "args": {"op_name": "B"}}]')


# as onnxruntime-web 1.30.0 writes it in Chromium, without the times
LOG = """\
[I:onnxruntime:, webgpu_execution_provider.cc:665 GetCapability] webgpu kernel not found in \
registries for Op type: Det node name: third
[V:onnxruntime:, session_state.cc:1377 VerifyEachNodeIsAssignedToAnEp] Node placements
[V:onnxruntime:, session_state.cc:1383 VerifyEachNodeIsAssignedToAnEp]  Node(s) placed on \
[CPUExecutionProvider]. Number of nodes: 1
[V:onnxruntime:, session_state.cc:1385 VerifyEachNodeIsAssignedToAnEp]   Det (third)
[V:onnxruntime:, session_state.cc:1383 VerifyEachNodeIsAssignedToAnEp]  Node(s) placed on \
[WebGpuExecutionProvider]. Number of nodes: 3
[V:onnxruntime:, session_state.cc:1385 VerifyEachNodeIsAssignedToAnEp]   Relu (first)
[V:onnxruntime:, session_state.cc:1385 VerifyEachNodeIsAssignedToAnEp]   Softplus ()
[V:onnxruntime:, session_state.cc:1385 VerifyEachNodeIsAssignedToAnEp]   MemcpyToHost (Memcpy)
[W:onnxruntime:, session_state.cc:1397 VerifyEachNodeIsAssignedToAnEp] Some nodes were not assigned
"""
ALL = LOG.split("placements")[0] + (
    "placements\n[V:onnxruntime:, session_state.cc:1380 VerifyEachNodeIsAssignedToAnEp]  All nodes "
    "placed on [WebGpuExecutionProvider]. Number of nodes: 488\n"
)


def test_onnxruntime_s_log_of_a_split_graph() -> None:
    found = read_placement(LOG, "webgpu", [])
    assert found is not None
    assert found.operators == (
        PlacedOperator("third", "Det", "cpu", "webgpu has no kernel"),
        PlacedOperator("first", "Relu", "webgpu"),
        PlacedOperator("", "Softplus", "webgpu"),
    )


def test_onnxruntime_s_log_of_a_whole_graph() -> None:
    found = read_placement(ALL, "webgpu", [("a", "Conv"), ("b", "Relu")])
    assert found is not None
    assert found.text() == "100 % webgpu"
    assert len(found.operators) == 2
    assert read_placement("nothing of it", "webgpu", [("a", "Conv")]) is None


# as benchmark_model wrote it on a phone: a public log of LiteRT 2.1.5's GPU accelerator
GPU_LOG = """\
E tflite : Following operations are not supported by GPU delegate:
E tflite : RELU_0_TO_1: Not supported op RELU_0_TO_1
E tflite : TRANSPOSE_CONV: Max version supported: 3. Requested version 4.
E tflite : 130 operations will run on the GPU, and the remaining 114 operations will run on the CPU.
I tflite : Replacing 130 out of 244 node(s) with delegate (LITERT_OPENGL) node, yielding 2
"""
REFUSED = (
    ("RELU_0_TO_1", "Not supported op RELU_0_TO_1"),
    ("TRANSPOSE_CONV", "Max version supported: 3. Requested version 4"),
)


def test_litert_s_log_of_a_gpu_that_refuses() -> None:
    log = DelegateLog.read(GPU_LOG)
    assert log == DelegateLog(((130, 244, "LITERT_OPENGL"),), REFUSED)
    counted = log.placement("gpu", [])
    assert counted is not None
    assert counted.text() == "53 % gpu, 114 on CPU"
    assert "TRANSPOSE_CONV: Max version supported: 3" in counted.fallen_text()


def test_nodes_are_named_where_the_log_fits_the_file() -> None:
    nodes = [("a", "CONV_2D"), ("b", "TRANSPOSE_CONV"), ("c", "CONV_2D")]
    log = DelegateLog(((2, 3, "TfLiteGpuDelegateV2"),), REFUSED)
    found = log.placement("gpu", nodes)
    assert found is not None
    (fallen,) = found.fallen
    assert (fallen.name, fallen.unit, fallen.reason) == ("b", "cpu", REFUSED[1][1])
    unclear = log.placement("gpu", [("a", "CONV_2D"), ("b", "CONV_2D"), ("c", "CONV_2D")])
    assert unclear is not None
    assert [one.name + one.unit for one in unclear.operators] == ["gpu", "gpu", "cpu"]
    xnnpack = DelegateLog(((1, 3, "TfLiteXNNPackDelegate"),))
    assert str(xnnpack.placement("gpu", nodes).text()) == "CPU, not gpu"  # type: ignore[union-attr]
    assert DelegateLog().placement("gpu", nodes) is None
