"""Networks of timm and torchvision, by doubles of both: neither is installed for the tests."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from affnet.errors import MissingError, UsageError
from affnet.model.source import load_source, reload_source
from affnet.model.zoo import choose
from tests.tiny import noise

NETWORK = """
from torch import nn

def build(classes=7):
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(8, classes))
"""
TIMM = f"""{NETWORK}
NAMES = ["tinynet_a", "tinynet_b", "features", "large"]

def list_models():
    return NAMES

def is_model(name):
    return name.split(".")[0] in NAMES

def create_model(name, pretrained):
    assert not pretrained
    network = build()[:2] if name == "features" else build()
    if name == "large":
        network[0] = nn.Linear(1, 1)
    network.pretrained_cfg = {{"input_size": (3, 48, 64)}}
    return network
"""
MODELS = f"""{NETWORK}
import types

def list_models(module):
    assert module.__name__ == "torchvision.models"
    return ["tiny_v1"]

def get_model_weights(name):
    metrics = {{"ImageNet-1K": {{"acc@1": 61.5}}}}
    meta = {{"num_params": 1_500_000, "_metrics": metrics, "_ops": 0.25}}
    crop = types.SimpleNamespace(crop_size=[32])
    return types.SimpleNamespace(DEFAULT=types.SimpleNamespace(transforms=lambda: crop, meta=meta))

def get_model(name, weights):
    assert weights is None
    return build(1000)
"""

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a package with one module in front of what is installed."""
    names = ("timm", "torchvision", "torchvision.models")
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(module: str, text: str) -> None:
        package, _, inner = module.partition(".")
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("" if inner else text)
        if inner:
            (tmp_path / package / f"{inner}.py").write_text(text)

    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield put
    for name in names:
        sys.modules.pop(name, None)


def test_a_network_of_timm_has_its_size_its_classes_and_random_weights(install: Install) -> None:
    install("timm", TIMM)
    source = load_source("timm:tinynet_a.in1k")
    assert source.name == "timm_tinynet_a_in1k"  # of a file
    assert (source.input.image_size(), source.outputs[0].shape) == ((48, 64), (1, 7))
    assert (source.published, source.provenance.weights) == (None, "random (seed 0)")
    images = noise(1, 3, 48, 64)
    with torch.inference_mode():
        scores = source.model(images)
        again = reload_source(source.provenance).model(images)
    assert torch.equal(scores, again)
    assert scores.std() > 0.01
    assert choose(["timm:tinynet_a", "affnet_et"], "mobilevit_xxs")[1] == "timm:tinynet_a"


def test_a_network_of_torchvision_is_quoted_from_its_table(install: Install) -> None:
    install("torchvision.models", MODELS)
    source = load_source("torchvision:tiny_v1")
    quoted = source.published
    assert quoted is not None
    assert (quoted.top1_percent, quoted.parameters_millions, quoted.macs_billions) == (
        61.5,
        1.5,
        0.25,
    )
    assert quoted.source == "torchvision's table of weights, ImageNet-1K, 32 px"
    assert source.input.image_size() == (32, 32)
    with pytest.raises(UsageError, match=r"Unknown classifier of torchvision 'x'.* 1 in all"):
        load_source("torchvision:x")


def test_what_no_library_has_is_named_with_what_is_alike(install: Install) -> None:
    install("timm", TIMM)
    for name in ("tinynet_c", "hf-hub:someone/net"):  # the latter would be fetched
        with pytest.raises(UsageError, match=r"Unknown classifier of timm .*tinynet_a.* 4 in all"):
            load_source(f"timm:{name}")
    with pytest.raises(UsageError, match="does not map an image to one score for each class"):
        load_source("timm:features")
    with pytest.raises(UsageError, match="timm:large takes no images of 48x64: "):
        load_source("timm:large")
    with pytest.raises(UsageError, match="--weights fills a peer"):
        load_source("timm:tinynet_a", weights=Path("weights.safetensors"))


def test_a_library_that_is_not_there_or_does_not_fit_is_missing(install: Install) -> None:
    if importlib.util.find_spec("timm") is None:
        with pytest.raises(MissingError, match=r"pip install 'affnet\[timm\]'"):
            load_source("timm:tinynet_a")
    install("torchvision.models", "")
    package = Path(sys.path[0]) / "torchvision" / "__init__.py"
    package.write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    with pytest.raises(
        MissingError, match=r"cannot be imported: operator torchvision::nms does not exist; install"
    ) as error:
        load_source("torchvision:tiny_v1")
    assert error.value.exit_code == 3
