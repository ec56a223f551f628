"""An export leaves the network that it was given as it was, to the last bit."""

from __future__ import annotations

import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import affnet
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.model.bundled import bundled_folder
from affnet.model.random_state import leaving_random_state
from affnet.model.source import load_source
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS

pytestmark = [
    *THIRD_PARTY_WARNINGS,
    pytest.mark.filterwarnings("ignore:.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*:FutureWarning"),
]

FORMATS = [
    *(("onnx", precision) for precision in ("fp32", "fp16")),
    *(
        pytest.param(name, "fp16", marks=[pytest.mark.converters, pytest.mark.slow])
        for name in ("coreml", "tflite", "executorch")
    ),
    *(  # the way to float16 has all steps of the one to float32
        pytest.param(name, "fp32", marks=pytest.mark.exhaustive)
        for name in ("coreml", "tflite", "executorch")
    ),
]


class Filter(nn.Module):
    """Layers that converters fold, share or replace, weights that do not learn, and a spectrum."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.GELU())
        self.norm = nn.GroupNorm(1, 4)
        self.second = nn.ConvTranspose2d(4, 4, 3, padding=1)
        self.second.weight.requires_grad_(False)
        self.gain = nn.Parameter(torch.rand(4, 8, 5))
        self.register_buffer("shift", torch.rand(4, 1, 1))
        self.first[1].running_mean.uniform_(-1, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.first(x)) + self.shift
        y = torch.fft.irfft2(torch.fft.rfft2(y) * self.gain, s=y.shape[-2:])
        return self.second(y)


torch.manual_seed(0)
NETWORK = Filter().eval()


def build() -> tuple[nn.Module, Tensor]:
    return NETWORK, torch.rand(1, 4, 8, 8)


def state(network: nn.Module) -> dict[str, Any]:
    """Return all that a caller may see of a network, tensors as their bytes."""
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    return {
        "names": list(network.state_dict()),
        "modules": {name: (type(m), m.training) for name, m in network.named_modules()},
        "hooks": [len(m._forward_hooks) for m in network.modules()],
        "gradients": {n: (t.requires_grad, t.grad) for n, t in tensors.items()},
        "layout": {n: (id(t), t.data_ptr(), t.dtype, t.stride()) for n, t in tensors.items()},
        "bytes": {n: t.detach().contiguous().numpy().tobytes() for n, t in tensors.items()},
    }


def random_numbers() -> dict[str, bytes]:
    return {
        "torch": torch.random.get_rng_state().numpy().tobytes(),
        "numpy": pickle.dumps(np.random.get_state()),  # noqa: NPY002
        "python": pickle.dumps(random.getstate()),
    }


@leaving_random_state
def draw() -> None:
    random.random()  # noqa: S311
    np.random.rand()  # noqa: NPY002
    torch.rand(1)


def test_random_numbers_stay_whoever_draws_them() -> None:
    before = random_numbers()  # Python's are drawn by imports: the first export alone shows it
    draw()
    assert random_numbers() == before


@pytest.mark.parametrize("source", ["digits", "affnet_et", "mobilevit_xxs", f"{__name__}:build"])
def test_random_numbers_stay_the_caller_s(source: str) -> None:
    before = random_numbers()
    load_source(source)
    assert random_numbers() == before


@pytest.mark.parametrize(("format_", "precision"), FORMATS)
def test_network_and_random_numbers_stay_through_an_export(
    format_: str, precision: str, tmp_path: Path
) -> None:
    before = state(NETWORK)
    source = load_source(f"{__name__}:build")
    numbers = random_numbers()
    artifact = export_artifact(source, ExportOptions(format_, precision=precision), tmp_path)
    assert random_numbers() == numbers
    assert source.model is NETWORK
    assert state(NETWORK) == before
    affnet.verify_artifact(artifact.path)
    assert random_numbers() == numbers


def test_random_numbers_stay_where_a_checkpoint_is_loaded() -> None:
    before = random_numbers()
    affnet.load_checkpoint(bundled_folder("digits") / "weights.safetensors")
    assert random_numbers() == before
