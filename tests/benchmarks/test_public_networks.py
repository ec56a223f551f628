"""Networks of public packages, as their users build them; `pip install 'affnet[zoo]'` has them."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.model.source import load_source
from benchmarks.public_networks import NETWORKS, ZOO, stored_bytes

PACKAGES = ("neuralop", "vocos", "fft_conv_pytorch", "torch", "transformers", "torchlibrosa")


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("ignore")  # the packages' own
@pytest.mark.parametrize(("name", "package"), [*zip(ZOO, PACKAGES, strict=True)])
def test_public_networks_become_small_and_right_files(
    name: str, package: str, tmp_path: Path
) -> None:
    try:
        importlib.import_module(package)
    except (ImportError, OSError) as error:  # a torchaudio of another build of torch
        pytest.skip(f"{package} is not installed ({error}); affnet[zoo] has it")
    build = NETWORKS[name][1]
    source = load_source(f"benchmarks.public_networks:{build.__name__}")
    artifact = export_artifact(source, ExportOptions("onnx", precision="fp32"), tmp_path)
    parity = artifact.manifest.parity
    assert parity is not None and parity.passed
    assert artifact.path.stat().st_size <= stored_bytes(build()[0]) + 5_000_000
