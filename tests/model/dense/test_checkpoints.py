"""Published checkpoints of dense networks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from affnet import create_model
from affnet.errors import CheckpointError, ConfigError, UsageError
from affnet.model.checkpoint import read_checkpoint
from affnet.model.cost import count_parameters
from affnet.model.dense.labels import labels_by_count
from affnet.model.peers import DETECTION_PEERS, create_detection_peer
from affnet.model.peers.detection import MobileViTMaps
from affnet.model.random_weights import randomise
from affnet.model.source import load_source
from tests.model.files import save, save_config
from tests.tiny import noise

NAMES = [f"{v}_{h}" for v in ("affnet_et", "affnet_t", "affnet") for h in ("deeplabv3", "ssdlite")]
SETTINGS = {"activation": "swish", "attn_norm": "layer_norm_2d"}


def entries(name: str, classes: int = 5) -> dict[str, torch.Tensor]:
    return dict(create_model(name, num_classes=classes).state_dict())


@pytest.mark.parametrize("name", NAMES)
def test_network_and_class_count_follow_from_the_shapes(name: str, tmp_path: Path) -> None:
    saved = entries(name)
    path = save(tmp_path, {f"module.{key}": value for key, value in saved.items()})
    checkpoint = read_checkpoint(path, **SETTINGS)
    assert (checkpoint.name, checkpoint.model.num_classes, checkpoint.notes) == (name, 5, ())
    loaded = checkpoint.model.state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in saved.items())


def test_the_auxiliary_head_is_ignored_and_that_is_said(tmp_path: Path) -> None:
    saved = entries("affnet_et_deeplabv3")
    saved["seg_head.aux_head.0.block.conv.weight"] = torch.ones(3)
    path = save(tmp_path, saved)
    assert read_checkpoint(path, **SETTINGS).notes == (
        "checkpoint_best.pt has an auxiliary head (seg_head.aux_head.*), which only training uses: "
        "ignored.",
    )
    source = load_source(str(path), **SETTINGS)
    assert any("auxiliary head" in note for note in source.notes)
    assert (source.task, source.input.image_size()) == ("segmentation", (512, 512))
    assert source.outputs[0].shape == (1, 5, 512, 512)


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("affnet_et", "affnet_et_deeplabv3"),
        ("affnet_et_ssdlite", "affnet_et"),
        ("affnet_et_deeplabv3", "affnet_et_ssdlite"),
    ],
)
def test_a_checkpoint_of_another_task_is_refused(given: str, asked: str, tmp_path: Path) -> None:
    path = save(tmp_path, entries(given))
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(path, variant=asked)
    assert str(error.value) == f"{path} is a checkpoint of {given}, not of {asked}."


def test_the_class_count_of_the_config_is_that_of_the_same_head(tmp_path: Path) -> None:
    path = save(tmp_path, entries("affnet_et_deeplabv3"))
    text = "model: {classification: {n_classes: 1000}, segmentation: {n_classes: %d}}"
    save_config(tmp_path, text % 5)
    assert read_checkpoint(path, **SETTINGS).model.num_classes == 5
    save_config(tmp_path, text % 21)
    with pytest.raises(ConfigError, match=r"says 21 classes, but checkpoint_best.pt has 5"):
        read_checkpoint(path, **SETTINGS)


@pytest.mark.parametrize("name", ["affnet_et_deeplabv3", "affnet_et_ssdlite"])
def test_a_head_without_its_last_layer_is_refused(name: str, tmp_path: Path) -> None:
    saved = entries(name)
    for key in [k for k in saved if k.startswith(("seg_head.classifier", "ssd_heads.5"))]:
        del saved[key]
    with pytest.raises(CheckpointError, match=r"has no classifier: s.* is missing or misshapen"):
        read_checkpoint(save(tmp_path, saved), **SETTINGS)


def test_a_name_gives_random_weights_at_the_usual_size() -> None:
    source = load_source("affnet_et_ssdlite")
    assert (source.task, source.input.image_size()) == ("detection", (320, 320))
    assert [output.shape for output in source.outputs] == [(1, 3232, 81), (1, 3232, 4)]
    with pytest.raises(UsageError, match="contradicts the source"):
        load_source("affnet_et_ssdlite", variant="affnet_et")


def test_classes_are_named_by_their_number_unless_a_file_names_them(tmp_path: Path) -> None:
    path = save(tmp_path, entries("affnet_et_deeplabv3", 21))
    source = load_source(str(path), **SETTINGS)
    assert source.labels is not None
    assert (source.labels[0], source.labels[8], source.labels[20]) == (
        "background",
        "cat",
        "tv monitor",
    )
    assert "Its 21 classes are taken for those of Pascal VOC, by their number." in source.notes
    assert source.published is not None
    assert source.published.miou_percent == 76.1
    (tmp_path / "labels.txt").write_text("\n".join(map(str, range(21))))
    assert load_source(str(path), **SETTINGS).labels == tuple(map(str, range(21)))
    (tmp_path / "labels.txt").write_text("too\nfew\n")
    source = load_source(str(path), **SETTINGS)
    assert source.labels is not None
    assert any("labels.txt has 2 lines for 21 classes: ignored." in note for note in source.notes)


@pytest.mark.parametrize(("task", "count"), [("segmentation", 150), ("detection", 81)])
def test_the_names_of_data_sets_are_as_many_as_their_classes(task: str, count: int) -> None:
    usual = labels_by_count(task, count)
    assert usual is not None
    assert len(set(usual[1])) == count
    assert labels_by_count(task, 7) is None


def test_peers_of_segmentation_are_sources() -> None:
    source = load_source("mobilevit_xxs_deeplabv3")
    assert (source.task, source.input.image_size()) == ("segmentation", (512, 512))
    assert source.outputs[0].shape == (1, 21, 512, 512)
    assert source.published is not None
    assert count_parameters(source.model) / 1e6 == pytest.approx(1.9, abs=0.05)
    with torch.inference_mode():
        scores = source.model(torch.zeros(1, 3, 64, 96))
    assert scores.shape == (1, 21, 64, 96)


@pytest.mark.parametrize("name", DETECTION_PEERS)
def test_peers_of_detection_have_the_published_parameters(name: str) -> None:
    with torch.device("meta"):  # shapes without values
        parameters = count_parameters(create_detection_peer(name)) / 1e6
    published = DETECTION_PEERS[name].published
    assert parameters == pytest.approx(published.parameters_millions, abs=0.05)


def test_peers_of_detection_are_sources_that_no_file_fills(tmp_path: Path) -> None:
    source = load_source("mobilevit_xxs_ssdlite")
    assert (source.task, source.input.image_size()) == ("detection", (320, 320))
    assert [output.shape for output in source.outputs] == [(1, 3232, 81), (1, 3232, 4)]
    assert source.published is not None
    assert source.published.map_percent == 19.9
    with torch.inference_mode():
        scores, boxes = source.model(torch.zeros(1, 3, 64, 96))
    assert (scores.shape, boxes.shape) == ((1, 208, 81), (1, 208, 4))
    with pytest.raises(UsageError, match="nothing writes files of it"):
        load_source("mobilevit_xxs_ssdlite", weights=tmp_path)


def test_a_peer_of_detection_looks_at_the_maps_of_transformers_encoder() -> None:
    import transformers

    network = transformers.MobileViTModel(transformers.MobileViTConfig()).eval()
    randomise(network)
    images = noise(1, 3, 64, 96)
    with torch.inference_mode():
        expected = network(images, output_hidden_states=True).hidden_states[-2:]
        maps = MobileViTMaps(network).features(images)
    assert [map_.shape for map_ in maps] == [(1, 128, 4, 6), (1, 160, 2, 3)]
    torch.testing.assert_close(maps, expected)
