"""Weights by ml-cvnets' names: MobileViT as its authors published it.

``cvnets_reference.json`` has the names, shapes and logits of ml-cvnets' own networks (at 7771756)
with the weights and the images that this file counts up.
"""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from affnet.errors import CheckpointError
from affnet.model.source import load_source

NAMES = ("mobilevit_xxs", "mobilevitv2_050")


@functools.cache
def reference(name: str) -> dict[str, Any]:
    path = Path(__file__).with_name("cvnets_reference.json")
    found: dict[str, Any] = json.loads(path.read_text())[name]
    return found


def numbered(count: int) -> Tensor:
    """Numbers in -1..1 that no library's generator can change."""
    steps = torch.arange(1, count + 1, dtype=torch.float64) * 0.754877666  # irrational enough
    return ((steps % 1) * 2 - 1).float()


def numbered_images() -> Tensor:
    """Two pictures that differ in colour and in what is where."""
    grain = (numbered(2 * 3 * 64 * 64).view(2, 3, 64, 64) + 1) / 2
    rows = torch.linspace(0, 1, 64).view(1, 1, 64, 1)
    grain[0, :1] *= rows[0]
    grain[1] *= rows[0].mT ** 3
    return grain


def numbered_weights(shapes: dict[str, list[int]]) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            found[name] = torch.tensor(1)
            continue
        values = numbered(math.prod(shape)).view(shape)
        if len(shape) > 1:
            found[name] = values * (9 / math.prod(shape[1:])) ** 0.5
        elif name.endswith(("norm.weight", "running_var")) or "weight" in name:
            found[name] = 1 + values / 2
        else:
            found[name] = values / 40
    return found


def weights(name: str) -> dict[str, Tensor]:
    return numbered_weights(reference(name)["shapes"])


@pytest.mark.parametrize("name", NAMES)
def test_the_network_computes_what_that_of_its_authors_does(name: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint_best.pt"
    torch.save({f"module.{key}": value for key, value in weights(name).items()}, path)
    source = load_source(name, weights=path)
    expected = torch.tensor(reference(name)["logits"])
    with torch.inference_mode():
        torch.testing.assert_close(source.model(numbered_images()), expected, rtol=1e-4, atol=1e-4)
    assert source.outputs[0].shape == (1, expected.shape[1])


def test_a_safetensors_file_of_theirs_is_known_too(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(weights(NAMES[0]), path)
    source = load_source(NAMES[0], weights=path)
    expected = torch.tensor(reference(NAMES[0])["logits"])
    with torch.inference_mode():
        torch.testing.assert_close(source.model(numbered_images()), expected, rtol=1e-4, atol=1e-4)


def test_weights_of_another_variant_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save(weights("mobilevit_xxs"), path)
    with pytest.raises(
        CheckpointError, match=r"does not fit mobilevit_xs; misshapen: classifier\.weight is 7x320"
    ):
        load_source("mobilevit_xs", weights=path)


def test_a_name_of_theirs_that_is_unknown_is_said_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    entries = weights("mobilevit_xxs")
    entries["layer_9.0.strange.weight"] = torch.zeros(3)
    torch.save(entries, path)
    with pytest.raises(CheckpointError, match=r"unexpected: \S*strange\.weight"):
        load_source("mobilevit_xxs", weights=path)


def test_a_checkpoint_that_holds_code_is_never_run(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"conv_1.block.conv.weight": Path("x")}, path)
    with pytest.raises(CheckpointError, match=r"pathlib|PosixPath"):
        load_source("mobilevit_xxs", weights=path)
