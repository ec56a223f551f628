"""Complex tensors at a file's border as two real ones, and open axes of nested inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from affnet.artifact import Artifact
from affnet.errors import UsageError
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.model.source import load_source
from affnet.model.source.base import SEED
from affnet.model.source.loading import reload_source
from affnet.runtimes import runtime_for
from tests.conftest import Finished
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS
from tests.networks import complex_borders

pytestmark = THIRD_PARTY_WARNINGS
NETWORKS = "tests.networks.complex_borders"
FORMATS = [
    "onnx",
    *(
        pytest.param(name, marks=[pytest.mark.converters, pytest.mark.slow])
        for name in ("tflite", "coreml", "executorch")
    ),
]


def exported(
    name: str, folder: Path, format_: str = "onnx", dynamic: str | None = None
) -> Artifact:
    source = load_source(f"{NETWORKS}:{name}", complex_as="parts", dynamic=dynamic)
    return export_artifact(source, ExportOptions(format_, precision="fp32"), folder)


def whole_network() -> torch.nn.Module:
    """Return the network itself, with the weights that it has wherever it is loaded."""
    torch.manual_seed(SEED)
    network, _ = complex_borders.filtered()
    return network


@pytest.mark.parametrize("format_", FORMATS)
def test_a_complex_tensor_is_two(format_: str, tmp_path: Path) -> None:
    manifest = (artifact := exported("filtered", tmp_path, format_)).manifest
    taken, given = (
        {one.name: one.shape for one in specs} for specs in (manifest.inputs, manifest.outputs)
    )
    whole = (2, 3, 17)
    assert taken == {"spectrum_real": whole, "spectrum_imag": whole, "gain": (2, 3, 1)}
    assert given == {
        "filtered_real": whole, "filtered_imag": whole, "signal": (2, 3, 32), "size": whole,
    }  # fmt: skip
    assert reload_source(manifest.provenance, artifact.path).inputs == manifest.inputs
    real, imag, gain = x = [torch.randn(spec.shape) for spec in manifest.inputs]
    found = runtime_for(format_).load(artifact.path, threads=1).run(*(one.numpy() for one in x))
    filtered, *others = whole_network()(torch.complex(real, imag), gain).values()
    for one, expected in zip(found, (filtered.real, filtered.imag, *others), strict=True):
        np.testing.assert_allclose(one, expected.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_on_the_command_line(run: Callable[..., Finished], tmp_path: Path) -> None:
    source = f"{NETWORKS}:transformed"
    assert run("export", source, "--complex", "parts", "-o", tmp_path, "--quiet").code == 0
    path = tmp_path / "complex_borders_transformed.onnx"
    assert "x_real 2x8 float32, x_imag 2x8 float32" in " ".join(
        run("inspect", path).out.replace(" ,", ",").split()
    )
    assert run("verify", path, "--quiet").code == 0


def test_axes_of_both_parts_are_open(tmp_path: Path) -> None:
    artifact = exported("filtered", tmp_path, dynamic="batch")
    assert [one.shape[0] for one in artifact.manifest.inputs] == ["batch"] * 3
    x = torch.randn(4, 3, 17, dtype=torch.cfloat)
    gain = torch.randn(4, 3, 1)
    source = load_source(f"{NETWORKS}:filtered", complex_as="parts")
    expected = source.model(x.real, x.imag, gain)
    session = runtime_for("onnx").load(artifact.path, threads=1)
    found = session.run(x.real.numpy(), x.imag.numpy(), gain.numpy())
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other.detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["named", "dictionary"])
def test_axes_of_nested_inputs_are_open(name: str, tmp_path: Path) -> None:
    """torch's checks of open lengths call them by names that a file's program does not have."""
    source = load_source(f"{NETWORKS}:{name}", dynamic="batch")
    artifact = export_artifact(source, ExportOptions("onnx"), tmp_path)
    first, second, gain = torch.randn(3, 8), torch.randn(3, 8), torch.randn(3, 1)
    (found,) = (
        runtime_for("onnx")
        .load(artifact.path, threads=1)
        .run(first.numpy(), second.numpy(), gain.numpy())
    )
    expected = complex_borders.Nested()((first, second), gain)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^--complex parts does not apply to .*no complex tensor"):
        load_source(f"{NETWORKS}:dictionary", complex_as="parts")
    with pytest.raises(UsageError, match=r"^--complex is for networks of your own"):
        load_source("affnet_et", complex_as="parts")
    path = tmp_path / "net.pt2"
    network, x = complex_borders.transformed()
    torch.export.save(torch.export.export(network, (x,)), path)
    with pytest.raises(UsageError, match=r"^--complex does not apply to net\.pt2"):
        load_source(str(path), complex_as="parts")
    with pytest.raises(UsageError, match=r"takes as \*\*others; name them in forward"):
        load_source(f"{NETWORKS}:keywords", dynamic="batch")
