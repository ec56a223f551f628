"""Five networks that are not AFFNet: the rewritten program computes the same and converts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affnet.export.fourier.rewrite import rewrite_program
from tests.export.fourier.rewriting import (
    THIRD_PARTY_WARNINGS,
    assert_real,
    assert_same,
    relative_error,
    rewrite,
)
from tests.networks.fourier_networks import NETWORKS, make

pytestmark = THIRD_PARTY_WARNINGS


@pytest.mark.parametrize("name", NETWORKS)
def test_the_program_computes_the_same(name: str) -> None:
    model, x = make(name)
    result = assert_same(model, x, tolerance=1e-5)
    ranks = [
        node.meta["val"].dim()
        for node in result.program.graph.nodes
        if isinstance(node.meta.get("val"), torch.Tensor)
    ]
    assert max(ranks) <= 5  # Core ML takes no more


@pytest.mark.parametrize("name", NETWORKS)
def test_the_batch_may_be_dynamic(name: str) -> None:
    model, x = make(name)
    shapes = ({0: torch.export.Dim("batch", min=2)},)
    others = (torch.cat((x, x.flip(0), x[:1])),)
    assert_same(model, x, tolerance=1e-5, others=others, dynamic_shapes=shapes)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::UserWarning:torch.onnx.*")
@pytest.mark.parametrize("name", NETWORKS)
def test_it_runs_in_onnxruntime(name: str, tmp_path: Path) -> None:
    import onnxruntime

    model, x = make(name)
    path = tmp_path / "model.onnx"
    program = torch.onnx.export(rewrite(model, x).program, dynamo=True, verbose=False)
    assert program is not None
    program.save(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    assert relative_error(torch.from_numpy(output), model(x).detach()) <= 1e-4


def _convert(name: str) -> tuple[torch.export.ExportedProgram, torch.Tensor, torch.Tensor]:
    model, x = make(name)
    result = rewrite_program(torch.export.export(model, (x,)))
    assert_real(result)
    return result.program, x, model(x).detach()


@pytest.mark.converters
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NETWORKS)
def test_it_runs_in_litert(name: str) -> None:
    import litert_torch

    program, x, expected = _convert(name)
    model: Any = litert_torch.convert(program.module(), (x,))
    output = torch.from_numpy(np.asarray(model(x.numpy())))
    assert relative_error(output, expected) <= 1e-4


@pytest.mark.converters
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NETWORKS)
def test_it_converts_to_core_ml(name: str) -> None:
    """Core ML runs on a Mac alone: here only its converter is asked."""
    import coremltools

    program, _, _ = _convert(name)
    coremltools.convert(
        program.run_decompositions({}),
        convert_to="mlprogram",
        minimum_deployment_target=coremltools.target.iOS16,
        compute_precision=coremltools.precision.FLOAT32,
    )


@pytest.mark.converters
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NETWORKS)
def test_it_runs_in_executorch(name: str) -> None:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    from executorch.runtime import Runtime

    program, x, expected = _convert(name)
    edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    # the runtime borrows the bytes and the program: both must outlive the method
    buffer = edge.to_executorch().buffer
    loaded = Runtime.get().load_program(buffer)
    (output,) = loaded.load_method("forward").execute([x])
    assert relative_error(output, expected) <= 1e-4
