"""A user's weights of a peer: what fits, what the files beside them say, what is refused."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from affnet.errors import CheckpointError, UsageError
from affnet.model.peers import PEERS
from affnet.model.peers.pixels import read_pixels
from affnet.model.random_weights import randomise
from affnet.model.source import load_source, reload_source
from affnet.silence import silenced
from tests.tiny import noise

LABELS = {0: "cat", 1: "dog", 2: "cow"}


@functools.cache
def trained(name: str = "mobilevit_xxs") -> nn.Module:
    """A network of transformers of three classes, as a user has one."""
    import transformers

    peer = PEERS[name]
    config = getattr(transformers, peer.config_class)(id2label=LABELS, **peer.config)
    network: nn.Module = getattr(transformers, peer.model_class)(config).eval()
    randomise(network, seed=7)
    return network


def save(folder: Path, name: str = "mobilevit_xxs", **pixels: Any) -> Path:
    with silenced():
        trained(name).save_pretrained(folder)
    if pixels:
        (folder / "preprocessor_config.json").write_text(json.dumps(pixels))
    return folder


def refusal(name: str, weights: Path) -> str:
    with pytest.raises(UsageError) as error:
        load_source(name, weights=weights)
    return str(error.value)


def test_a_folders_network_is_the_users_with_his_labels(tmp_path: Path) -> None:
    source = load_source("mobilevit_xxs", weights=save(tmp_path / "mine"))
    images = noise(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(source.model(images), trained()(images).logits)
    assert (source.labels, source.published) == (("cat", "dog", "cow"), None)
    assert source.outputs[0].shape == (1, 3)
    assert source.provenance.weights == "from a file"
    assert source.notes == (
        f"mobilevit_xxs has the weights of {tmp_path / 'mine' / 'model.safetensors'}, "
        "with 3 classes.",
        "No preprocessor_config.json beside them: it gets RGB images in 0..1 as they are.",
    )
    again = reload_source(source.provenance)
    with torch.inference_mode():
        assert torch.equal(again.model(images), source.model(images))


def test_names_that_transformers_has_changed_since_are_known(tmp_path: Path) -> None:
    """ViT's files keep the names of before."""
    source = load_source("deit_tiny", weights=save(tmp_path / "mine", "deit_tiny"))
    images = noise(1, 3, 224, 224)
    with torch.inference_mode():
        torch.testing.assert_close(source.model(images), trained("deit_tiny")(images).logits)


def test_a_file_alone_tells_its_class_count(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    shutil.copy(save(tmp_path / "mine") / "model.safetensors", path)
    source = load_source("mobilevit_xxs", weights=path)
    assert (source.labels, source.outputs[0].shape) == (None, (1, 3))


def test_pixels_are_prepared_as_the_file_beside_the_weights_says(tmp_path: Path) -> None:
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.4, 0.2)
    folder = save(tmp_path / "mine", do_flip_channel_order=True, image_mean=mean, image_std=std)
    source = load_source("mobilevit_xxs", weights=folder)
    images = noise(1, 3, 64, 64)
    axes = (1, 3, 1, 1)
    prepared = (images - torch.tensor(mean).view(axes)) / torch.tensor(std).view(axes)
    with torch.inference_mode():
        expected = trained()(prepared.flip(1)).logits
        torch.testing.assert_close(source.model(images), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (0.2, 0.5, 1.0)),
        ({"feature_extractor_type": "MobileViTFeatureExtractor"}, (1.0, 0.5, 0.2)),
        ({"do_rescale": False}, (51.0, 127.5, 255.0)),
        ({"image_mean": [0.2, 0.2, 0.2], "image_std": [0.5, 0.5, 0.5]}, (0.0, 0.6, 1.6)),
        ({"do_normalize": False, "image_mean": [9, 9, 9]}, (0.2, 0.5, 1.0)),
    ],
)
def test_each_setting_of_pixels(
    tmp_path: Path, settings: dict[str, Any], expected: tuple[float, ...]
) -> None:
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps(settings))
    pixel = torch.tensor([0.2, 0.5, 1.0]).view(1, 3, 1, 1)
    with torch.inference_mode():
        found = read_pixels(path)(pixel).flatten()
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("ConvNext", {}),
        ("EfficientNet", {}),
        ("EfficientNet", {"rescale_offset": True, "rescale_factor": 1 / 127.5}),
        ("EfficientNet", {"do_normalize": False}),
        ("Levit", {}),
        ("MobileNetV2", {"do_rescale": False}),
        ("MobileViT", {}),
        ("MobileViT", {"do_flip_channel_order": False}),
        ("PoolFormer", {}),
        ("ViT", {"do_normalize": False}),
    ],
)
def test_pixels_are_prepared_as_transformers_does(
    tmp_path: Path, kind: str, settings: dict[str, Any]
) -> None:
    import numpy as np
    import transformers

    images = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    make = getattr(transformers, f"{kind}ImageProcessorPil")
    with silenced():
        try:
            processor = make(do_resize=False, do_center_crop=False, **settings)
        except ImportError as error:  # of transformers 5.4, without torchvision
            pytest.skip(str(error).strip().splitlines()[0])
        processor.save_pretrained(tmp_path)
        expected = processor(images, return_tensors="pt")["pixel_values"]
    pixels = torch.tensor(images).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        found = read_pixels(tmp_path / "preprocessor_config.json")(pixels)
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"image_mean": [1, 2]}', '{"do_normalize": true}', '{"rescale_factor": []}'],
)
def test_unreadable_settings_of_pixels_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "preprocessor_config.json"
    path.write_text(text)
    with pytest.raises(CheckpointError, match="cannot be read: "):
        read_pixels(path)


def test_another_networks_weights_are_refused_by_their_first_entries(tmp_path: Path) -> None:
    folder = save(tmp_path / "mine")
    file = folder / "model.safetensors"
    assert refusal("mobilevit_xs", file).startswith(
        f"{file} does not fit mobilevit_xs; misshapen: "
    )
    assert refusal("deit_tiny", folder) == (
        f"{folder / 'config.json'} describes a network of the type 'mobilevit', "
        "but deit_tiny is of the type 'vit'."
    )
    entries = load_file(file)
    entries["strange"] = entries.pop("classifier.bias")
    entries["classifier.weight"] = torch.zeros(5, 320)
    save_file(entries, file)
    assert refusal("mobilevit_xxs", folder) == (
        f"{file} does not fit mobilevit_xxs; missing: classifier.bias; unexpected: strange; "
        "misshapen: classifier.weight is 5x320 instead of 3x320."
    )


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "mine") / "model.safetensors"
    entries = load_file(file)
    entries["classifier.bias"][1] = torch.nan
    save_file(entries, file)
    assert refusal("mobilevit_xxs", file) == (
        f"{file} has values that are not finite in classifier.bias."
    )


def test_what_is_no_folder_of_weights_is_refused(tmp_path: Path) -> None:
    assert "does not exist; give the path of a file of weights" in refusal(
        "mobilevit_s", tmp_path / "gone"
    )
    pickled = tmp_path / "weights.ckpt"
    torch.save({}, pickled)
    assert "is no file of weights (.safetensors, .pt" in refusal("mobilevit_s", pickled)
    assert "has no safetensors file" in refusal("mobilevit_s", tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"damaged")
    assert "model.safetensors is damaged" in refusal("mobilevit_s", tmp_path)
    save_file({"a": torch.zeros(1)}, file)
    (tmp_path / "config.json").write_text("{")
    assert "config.json is damaged or no JSON" in refusal("mobilevit_s", file)
    (tmp_path / "config.json").write_text('{"model_type": "mobilevit", "hidden_sizes": 3}')
    assert refusal("mobilevit_s", tmp_path).startswith(f"{tmp_path / 'config.json'} ")
    shutil.copy(file, tmp_path / "other.safetensors")
    assert refusal("mobilevit_s", tmp_path) == (
        f"{tmp_path} has 2 safetensors files, model.safetensors, other.safetensors; "
        "name the one that is meant."
    )


def test_a_config_names_no_code_of_others(tmp_path: Path) -> None:
    folder = save(tmp_path / "mine")
    file = folder / "config.json"
    settings = json.loads(file.read_text())
    reaching = {
        "attn_implementation": "someone/kernel",
        "_attn_implementation": "someone/kernel",
        "quantization_config": {"quant_method": "torchao"},
    }
    file.write_text(json.dumps({**settings, **reaching}))
    config = load_source("mobilevit_xxs", weights=folder).model.model.config
    assert (config._attn_implementation, hasattr(config, "quantization_config")) == ("eager", False)


def test_weights_of_what_is_no_peer_are_refused(tmp_path: Path) -> None:
    assert refusal("affnet_et", tmp_path) == (
        "--weights fills a peer, such as mobilevit_xxs; 'affnet_et' is none."
    )


def test_weights_that_changed_since_are_not_taken_for_those_exported(tmp_path: Path) -> None:
    folder = save(tmp_path / "mine")
    provenance = load_source("mobilevit_xxs", weights=folder).provenance
    file = folder / "model.safetensors"
    entries = load_file(file)
    entries["classifier.bias"] += 1
    save_file(entries, file)
    with pytest.raises(UsageError, match="has changed since"):
        reload_source(provenance)
    shutil.rmtree(folder)
    with pytest.raises(UsageError, match="name it: --against mobilevit_xxs --weights PATH"):
        reload_source(provenance)


def test_a_segmentation_peer_takes_a_users_weights_too(tmp_path: Path) -> None:
    network = load_source("mobilevit_xxs_deeplabv3").model.model
    with silenced():
        network.save_pretrained(tmp_path / "mine")
    source = load_source("mobilevit_xxs_deeplabv3", weights=tmp_path / "mine")
    assert (source.task, source.model.num_classes, source.labels) == ("segmentation", 21, None)
    assert source.published is not None
