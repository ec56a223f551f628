"""Every form in which a checkpoint of this network is found."""

from __future__ import annotations

import hashlib
import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from affnet.errors import CheckpointError
from affnet.model.checkpoint import AssumptionWarning, load_checkpoint, read_checkpoint
from affnet.model.variants import VARIANTS
from tests.model.files import CLASSES, reference_network, save, save_config, state_dict
from tests.tiny import noise

IMAGE = noise(1, 3, 64, 64)


def assert_same_network(model: torch.nn.Module, **settings: str) -> None:
    with torch.inference_mode():
        expected, actual = reference_network(**settings)(IMAGE), model(IMAGE)
    assert not model.training
    assert torch.equal(actual, expected)


def training_checkpoint(weights: dict[str, torch.Tensor]) -> dict[str, Any]:
    """What the published code's trainer saves."""
    return {
        "epoch": 299,
        "iterations": 375000,
        "best_metric": 73.0,
        "model_state_dict": weights,
        "optim_state_dict": {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": []},
        "gradient_scalar_state_dict": {"scale": 65536.0},
    }


FORMS: dict[str, Callable[[], Any]] = {
    "a state dict": state_dict,
    "an ordered state dict": lambda: OrderedDict(state_dict()),
    "parameters": lambda: {
        k: torch.nn.Parameter(v) if v.is_floating_point() else v for k, v in state_dict().items()
    },
    "a training checkpoint": lambda: training_checkpoint(state_dict()),
    "a state_dict entry": lambda: {"state_dict": state_dict(), "epoch": 1},
    "module. prefix": lambda: {f"module.{k}": v for k, v in state_dict().items()},
    "module. prefix in a training checkpoint": lambda: training_checkpoint(
        {f"module.{k}": v for k, v in state_dict().items()}
    ),
    "no counters": lambda: {
        k: v for k, v in state_dict().items() if not k.endswith("num_batches_tracked")
    },
    "float64": lambda: {
        k: v.double() if v.is_floating_point() else v for k, v in state_dict().items()
    },
}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_the_network_that_was_saved(
    form: str, legacy: bool, tmp_path: Path
) -> None:
    path = save(tmp_path, FORMS[form](), _use_new_zipfile_serialization=not legacy)
    checkpoint = read_checkpoint(path)
    assert_same_network(checkpoint.model)
    assert checkpoint.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert checkpoint.path == path


def test_a_safetensors_file_gives_the_network_that_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(state_dict(), path)
    assert_same_network(read_checkpoint(path).model)


@pytest.mark.parametrize("name", ["checkpoint.pt", "weights.safetensors"])
def test_half_precision_weights_are_widened(name: str, tmp_path: Path) -> None:
    halves = {k: v.half() if v.is_floating_point() else v for k, v in state_dict().items()}
    path = tmp_path / name
    (save_file if path.suffix == ".safetensors" else torch.save)(halves, path)
    entries = read_checkpoint(path).model.state_dict()
    for key, value in entries.items():
        assert value.dtype == (torch.float32 if value.is_floating_point() else torch.int64)
        assert torch.equal(value, halves[key].to(value.dtype)), key


@pytest.mark.parametrize("name", VARIANTS)
def test_variant_and_class_count_follow_from_the_shapes(name: str, tmp_path: Path) -> None:
    model = read_checkpoint(save(tmp_path, state_dict(name)), variant=name).model
    assert (model.variant.name, model.num_classes) == (name, CLASSES)
    assert_same_network(model, name=name)


def test_ema_takes_the_averaged_weights_and_only_when_asked(tmp_path: Path) -> None:
    averaged = {k: v + 1 if k.startswith("classifier") else v for k, v in state_dict().items()}
    content = {**training_checkpoint(state_dict()), "ema_state_dict": averaged}
    path = save(tmp_path, content)
    assert_same_network(read_checkpoint(path).model)
    ema = read_checkpoint(path, ema=True).model
    assert torch.equal(ema.classifier.fc.bias, averaged["classifier.fc.bias"])


def test_ema_weights_may_carry_the_distributed_prefix(tmp_path: Path) -> None:
    averaged = {f"module.{k}": v for k, v in state_dict().items()}
    path = save(tmp_path, {"model_state_dict": {}, "ema_state_dict": averaged})
    assert_same_network(read_checkpoint(path, ema=True).model)


def test_ema_without_averaged_weights_says_what_to_do(tmp_path: Path) -> None:
    path = save(tmp_path, training_checkpoint(state_dict()))
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(path, ema=True)
    assert str(error.value) == (
        f"{path} has no EMA weights (no 'ema_state_dict' entry); drop --ema, or give the "
        "checkpoint_ema_*.pt file without --ema."
    )


def test_what_no_config_tells_is_assumed_with_a_warning_each(tmp_path: Path) -> None:
    path = save(tmp_path, state_dict())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = load_checkpoint(str(path))
    assert_same_network(model)
    assert [w.category for w in caught] == [AssumptionWarning] * 2
    assert [str(w.message) for w in caught] == [
        "Neither checkpoint_best.pt nor a config gives its activation: assumed swish.",
        "Neither checkpoint_best.pt nor a config gives its attn_norm: assumed layer_norm_2d.",
    ]
    assert {w.filename for w in caught} == {__file__}


def test_arguments_settle_the_settings_without_a_warning(tmp_path: Path) -> None:
    path = save(tmp_path, state_dict())
    model = load_checkpoint(path, activation="relu", attn_norm="layer_norm")
    assert_same_network(model, activation="relu", attn_norm="layer_norm")


def test_a_config_beside_the_checkpoint_settles_the_settings(tmp_path: Path) -> None:
    save_config(
        tmp_path,
        "model.classification.affnet.attn-norm-layer: layer_norm\n"
        "model: {activation: {name: relu}}\n",
    )
    model = load_checkpoint(save(tmp_path, state_dict()))
    assert_same_network(model, activation="relu", attn_norm="layer_norm")


def test_arguments_override_the_config_and_what_neither_tells_is_assumed(tmp_path: Path) -> None:
    config = save_config(tmp_path, "model.activation.name: relu\n", "elsewhere.yml")
    path = save(tmp_path, state_dict())
    checkpoint = read_checkpoint(path, config=config, activation="swish")
    assert_same_network(checkpoint.model)
    assert checkpoint.notes == (
        "Neither checkpoint_best.pt nor a config gives its attn_norm: assumed layer_norm_2d.",
    )
    assert read_checkpoint(path, config=config).model.activation == "relu"
