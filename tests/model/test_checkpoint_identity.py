"""Checkpoints that can be read but are not the network that was asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from affnet.errors import CheckpointError, ConfigError, UnknownNameError, UsageError
from affnet.model.checkpoint import read_checkpoint
from affnet.model.network import AFFNet
from affnet.model.published import Published
from affnet.model.variants import Variant
from tests.model.files import save, save_config, state_dict


def error_of(path: Path, kind: type[UsageError] = CheckpointError, **options: Any) -> str:
    with pytest.raises(kind) as error:
        read_checkpoint(path, **options)
    assert type(error.value) is kind
    return str(error.value)


def test_a_checkpoint_of_another_network_is_told_by_its_entries(tmp_path: Path) -> None:
    other = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(8, 2))
    path = save(tmp_path, other.state_dict())
    assert error_of(path) == (
        f"{path} is a checkpoint of another network, not AFFNet: its entries are "
        "0.weight, 0.bias, 1.weight and 1 more."
    )


def test_an_encoder_without_a_head_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, {f"encoder.{key}": value for key, value in state_dict().items()})
    assert error_of(path) == (
        f"{path} is an encoder without a head that affnet has: neither seg_head.* (DeepLabv3) nor "
        "ssd_heads.* (SSDLite) is in it."
    )


@pytest.mark.parametrize("damage", ["missing", "flat"])
def test_a_checkpoint_without_a_classifier_is_refused(damage: str, tmp_path: Path) -> None:
    entries = state_dict()
    if damage == "missing":
        del entries["classifier.fc.weight"]
    else:
        entries["classifier.fc.weight"] = entries["classifier.fc.weight"].flatten()
    path = save(tmp_path, entries)
    assert error_of(path) == (
        f"{path} has no classifier: classifier.fc.weight is missing or misshapen."
    )


def test_widths_of_no_published_variant_are_refused(tmp_path: Path) -> None:
    published = Published(0, 0, 0, "")
    odd = Variant("odd", "odd", (8, 8, 16, 24, 32), 2, published, "mobilevit_xxs")
    path = save(tmp_path, AFFNet(odd, 3, "relu", "layer_norm").state_dict())
    assert error_of(path) == (
        f"{path} is an AFFNet of widths that match none of affnet_et, affnet_t, affnet."
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([torch.ones(2)], "holds a list, not a state dict."),
        (torch.ones(2), "holds a Tensor, not a state dict."),
        ({}, "holds no weights."),
        ({"model_state_dict": {}}, "holds no weights."),
        ({"model_state_dict": None}, "holds no weights."),
        (
            {"epoch": 3, "model": {"w": torch.ones(2)}},
            "is not a state dict: no tensors in epoch, model.",
        ),
        ({0: torch.ones(2)}, "is a checkpoint of another network, not AFFNet: its entries are 0."),
    ],
)
def test_content_that_is_no_state_dict_is_told_by_what_it_is(
    content: Any, sentence: str, tmp_path: Path
) -> None:
    path = save(tmp_path, content)
    assert error_of(path) == f"{path} {sentence}"


def test_another_variant_than_the_asked_one_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, state_dict("affnet_t"))
    assert error_of(path, variant="affnet") == (
        f"{path} is a checkpoint of affnet_t, not of affnet."
    )


def test_an_unknown_variant_is_answered_with_the_valid_ones(tmp_path: Path) -> None:
    path = save(tmp_path, {})
    assert error_of(path, UnknownNameError, variant="small") == (
        "Unknown variant 'small'; valid: affnet_et, affnet_t, affnet, affnet_et_deeplabv3, "
        "affnet_t_deeplabv3, affnet_deeplabv3, affnet_et_ssdlite, affnet_t_ssdlite, affnet_ssdlite."
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "model: {classification: {affnet: {mode: small}}}",
            "describes affnet, but checkpoint_best.pt has the shapes of affnet_et",
        ),
        (
            "model.classification.n_classes: 1000",
            "says 1000 classes, but checkpoint_best.pt has 6",
        ),
    ],
)
def test_a_config_that_contradicts_the_shapes_is_refused(
    text: str, sentence: str, tmp_path: Path
) -> None:
    config = save_config(tmp_path, text)
    path = save(tmp_path, state_dict())
    assert error_of(path, ConfigError) == (
        f"{config} {sentence}; give the right config (--config of affnet export, eval and verify)."
    )


def test_a_folder_and_a_missing_file_are_told_apart(tmp_path: Path) -> None:
    assert error_of(tmp_path, UsageError) == f"{tmp_path} is a folder, not a checkpoint."
    missing = tmp_path / "gone.pt"
    assert error_of(missing, UsageError) == (
        f"{missing} does not exist; give the path of a checkpoint."
    )


def test_a_missing_config_is_named(tmp_path: Path) -> None:
    path = save(tmp_path, state_dict())
    config = tmp_path / "other.yaml"
    assert error_of(path, UsageError, config=config) == (
        f"{config} does not exist; give the path of a training config (YAML)."
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("model.activation.name: prelu", "Unknown activation 'prelu'; valid: swish, "),
        (
            "model.classification.affnet.attn_norm_layer: batch_norm",
            "Unknown normalisation 'batch_norm'; valid: layer_norm_2d, layer_norm.",
        ),
        (
            "model.classification.affnet.attn_norm_layer: [layer_norm]",
            "Unknown normalisation \"['layer_norm']\"; valid: layer_norm_2d, layer_norm.",
        ),
    ],
)
def test_settings_of_a_config_that_do_not_exist_are_answered_with_the_valid_ones(
    text: str, sentence: str, tmp_path: Path
) -> None:
    save_config(tmp_path, text)
    assert error_of(save(tmp_path, state_dict()), UnknownNameError).startswith(sentence)


def test_the_compiler_of_pytorch_is_not_imported() -> None:
    """It takes two seconds, which only exports have a use for."""
    code = "import sys, affnet; affnet.load_source('digits'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "torch" in done.stdout.split()
    assert not {"torch._dynamo", "sympy"} & {*done.stdout.split()}
