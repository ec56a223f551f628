"""Building a network of transformers, with random weights or with a user's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from affnet.errors import CheckpointError, first_line, require
from affnet.model.peers.cvnets import as_transformers, is_of_cvnets
from affnet.model.peers.pretrained import Pretrained, labels_of
from affnet.model.weights import check_finite, check_fit, check_kinds, check_plain, refuse_misfits
from affnet.silence import silenced

#: What a config may not ask for: kernels from a hub and tools of quantization are others' code.
_REACHES_OUT = ("attn_implementation", "experts_implementation", "quantization_config")


@dataclass(frozen=True)
class Blueprint:
    """What a network is built from: transformers' classes, and what differs from theirs."""

    name: str
    config_class: str
    model_class: str
    settings: dict[str, Any]
    classes: int  # as published


@dataclass(frozen=True)
class Filled:
    """A network of transformers with a user's weights."""

    model: nn.Module
    classes: int
    labels: tuple[str, ...] | None


def build(blueprint: Blueprint, classes: int | None = None) -> nn.Module:
    """Build it with random weights.

    Raises:
        MissingError: transformers is not installed.
    """
    kind = _class(blueprint, blueprint.model_class)
    config = _config(blueprint, blueprint.classes if classes is None else classes)
    with silenced():
        network: nn.Module = kind(config)
    return network


def build_filled(blueprint: Blueprint, pretrained: Pretrained) -> Filled:
    """Build it with a user's weights, as the config beside them says.

    Raises:
        MissingError: transformers is not installed.
        CheckpointError: the weights or the config are not this network's.
    """
    pretrained = _by_transformers_names(blueprint, pretrained)
    check_plain(pretrained.path, pretrained.entries)
    check_finite(pretrained.path, pretrained.entries)
    if pretrained.config is not None:
        config = _config_of(blueprint, pretrained)
    else:
        config = _config(blueprint, _count_classes(blueprint, pretrained))
    model = _filled(blueprint, config, pretrained)
    with torch.device("meta"):  # shapes without values
        published = build(blueprint, config.num_labels).state_dict()
    check_fit(pretrained.path, blueprint.name, published, model.state_dict())
    check_kinds(pretrained.path, blueprint.name, published, pretrained.entries)
    return Filled(model, config.num_labels, labels_of(config.id2label, config.num_labels))


def _by_transformers_names(blueprint: Blueprint, pretrained: Pretrained) -> Pretrained:
    if not is_of_cvnets(pretrained.entries):
        return pretrained
    prefix = _class(blueprint, blueprint.model_class).base_model_prefix
    return replace(pretrained, entries=as_transformers(prefix, pretrained.entries))


def import_transformers(purpose: str) -> Any:
    """Return the package transformers.

    Raises:
        MissingError: it is not installed.
    """
    require("transformers", extra="peers", purpose=purpose)
    with silenced():
        import transformers
    return transformers


def _class(blueprint: Blueprint, name: str) -> Any:
    package = import_transformers(f"Building {blueprint.name}")
    with silenced():  # it imports the module now, and torchao where that is, which is noisy
        return getattr(package, name)


def _config(blueprint: Blueprint, classes: int) -> Any:
    kind = _class(blueprint, blueprint.config_class)
    with silenced():
        return kind(num_labels=classes, **blueprint.settings)


def _config_of(blueprint: Blueprint, pretrained: Pretrained) -> Any:
    """Return transformers' config of the user's, which must be one of this family."""
    assert pretrained.config is not None
    kind = _class(blueprint, blueprint.config_class)
    where = pretrained.path.with_name("config.json")
    found = pretrained.config.get("model_type")
    if found != kind.model_type:
        raise CheckpointError(
            f"{where} describes a network of the type {found!r}, but {blueprint.name} is of the "
            f"type {kind.model_type!r}."
        )
    try:
        with silenced():
            return kind.from_dict(
                {
                    key: value
                    for key, value in pretrained.config.items()
                    if not key.lstrip("_").startswith(_REACHES_OUT)
                }
            )
    except Exception as error:  # of validation, which raises nearly every kind
        raise CheckpointError(f"{where} cannot be read: {first_line(error)}.") from error


def _filled(blueprint: Blueprint, config: Any, pretrained: Pretrained) -> nn.Module:
    """Let transformers put the entries in, which it renames where its own names have changed."""
    kind = _class(blueprint, blueprint.model_class)
    try:
        with silenced():
            network, found = kind.from_pretrained(
                None,
                config=config,
                state_dict=dict(pretrained.entries),
                ignore_mismatched_sizes=True,  # they are reported below
                output_loading_info=True,
            )
    except Exception as error:  # settings that contradict each other raise nearly every kind
        where = pretrained.path.with_name("config.json")
        raise CheckpointError(
            f"{where} describes no network that can be built: {first_line(error)}."
        ) from error
    refuse_misfits(
        pretrained.path,
        blueprint.name,
        found["missing_keys"],
        found["unexpected_keys"],
        sorted(found["mismatched_keys"]),
    )
    filled: nn.Module = network.float()
    return filled


def _count_classes(blueprint: Blueprint, pretrained: Pretrained) -> int:
    """Return the class count that the shapes say: the first axis of what depends on it."""
    with torch.device("meta"):
        one, other = (build(blueprint, count).state_dict() for count in (2, 3))
    for key, value in one.items():
        if value.shape != other[key].shape and key in pretrained.entries:
            return int(pretrained.entries[key].shape[0])
    return blueprint.classes  # no classifier: `check_fit` says so
