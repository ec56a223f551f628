"""What sessions compute and what their files hold, against PyTorch."""

from __future__ import annotations

import collections
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from affnet.artifact import Artifact
from affnet.errors import ArtifactError
from affnet.model.layers import ChannelLayerNorm
from affnet.model.mixer import AdaptiveFrequencyFilter
from affnet.model.source import load_source
from affnet.runtimes import runtime_for
from tests.bench.fakes import an_artifact
from tests.shared_artifacts import SharedArtifacts
from tests.tiny import CLASSES, noise, tiny_net


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("format_", ["onnx", "torch"])
def test_a_session_computes_what_pytorch_computes(
    format_: str, threads: int, shared_artifact: SharedArtifacts
) -> None:
    artifact, images = shared_artifact("tiny", format_), noise(8, 3, 32, 32).numpy()
    with torch.inference_mode():
        expected = tiny_net()(torch.from_numpy(images)).numpy()
    before = torch.get_num_threads()
    try:
        session = runtime_for(format_).load(artifact.path, threads=threads)
        outputs = [session.run(images[index : index + 1]) for index in range(len(images))]
    finally:
        torch.set_num_threads(before)
    assert {len(output) for output in outputs} == {1}
    actual = np.concatenate([output[0] for output in outputs])
    assert (actual.dtype, actual.shape) == (np.float32, (8, CLASSES))
    assert np.abs(actual - expected).max() < 1e-5 * np.abs(expected).max()


def test_an_onnx_file_holds_products_in_the_place_of_transforms(digits_onnx: Artifact) -> None:
    counts = runtime_for("onnx").operators(digits_onnx.path)
    model = load_source("digits").model
    filters = sum(isinstance(m, AdaptiveFrequencyFilter) for m in model.modules())
    norms = sum(isinstance(m, torch.nn.GroupNorm | ChannelLayerNorm) for m in model.modules())
    assert filters == 9
    assert counts["InstanceNormalization"] == norms == 21
    assert counts["MatMul"] >= 2 * filters
    assert counts["DFT"] == counts["STFT"] == 0
    nodes = onnx.load(digits_onnx.path).graph.node
    assert sum(counts.values()) == len(nodes)


def test_an_exported_program_keeps_torch_s_transforms(tiny_pt2: Artifact) -> None:
    counts = runtime_for("torch").operators(tiny_pt2.path)
    assert counts["fft_rfftn"] == counts["fft_irfftn"] == 1
    assert counts["linear"] == 1
    assert counts["group_norm"] == 3


def test_operators_of_other_domains_keep_their_domain(tmp_path: Path) -> None:
    tensors = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in ("x", "y")]
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Gelu", ["b"], ["y"], domain="com.microsoft"),
    ]
    graph = helper.make_graph(nodes, "g", tensors[:1], tensors[1:])
    onnx.save(helper.make_model(graph), tmp_path / "a.onnx")
    counts = runtime_for("onnx").operators(tmp_path / "a.onnx")
    assert counts == collections.Counter({"Relu": 2, "com.microsoft::Gelu": 1})


@pytest.mark.parametrize("content", [b"", b"\x08", b"no model" * 50])
def test_a_file_that_is_no_model_is_rejected_in_one_line(tmp_path: Path, content: bytes) -> None:
    artifact = an_artifact("bad", tmp_path)
    artifact.path.write_bytes(content)
    with pytest.raises(ArtifactError) as info:
        runtime_for("onnx").load(artifact.path, threads=1)
    assert str(info.value).startswith(f"ONNX Runtime rejects {artifact.path}: ")
    assert "\n" not in str(info.value)
    with pytest.raises(ArtifactError, match=r"is damaged or no exported program"):
        runtime_for("torch").load(artifact.path, threads=1)
