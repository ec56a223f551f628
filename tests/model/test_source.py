"""SOURCE: names, checkpoints, and finding an artifact's source again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from affnet.cache import FOLDER_VARIABLE, KINDS
from affnet.errors import UnknownNameError, UsageError
from affnet.evaluation.datasets import open_dataset
from affnet.files import content_sha256
from affnet.model.bundled import bundled_folder
from affnet.model.create import NETWORKS
from affnet.model.layers import ACTIVATIONS
from affnet.model.peers import DETECTION_PEERS, PEERS, SEGMENTATION_PEERS
from affnet.model.source import Source, load_source, reload_source, source_names
from affnet.model.source.loading import EXPORTED_SUFFIXES, PROGRAM_SUFFIX
from affnet.model.variants import VARIANTS
from affnet.runtimes import RUNTIMES, get_runtime
from tests.model.files import reference_network, save, save_config, state_dict
from tests.tiny import noise

NAMES = ", ".join((*NETWORKS, *PEERS, *SEGMENTATION_PEERS, *DETECTION_PEERS, "digits", "emoji"))
CONFIG = """
model.classification:
  affnet: {mode: xx_small, attn_norm_layer: layer_norm}
  activation.name: relu
  n_classes: 6
image_augmentation.center_crop.size: [192, 320]
"""


def error_of(source: str, kind: type[UsageError] = UsageError, **options: Any) -> str:
    with pytest.raises(kind) as error:
        load_source(source, **options)
    return str(error.value)


def assert_same_outputs(one: Source, other: Source) -> None:
    image = noise(1, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(one.model(image), other.model(image))


def test_all_names_are_listed() -> None:
    assert ", ".join(source_names()) == NAMES


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variants_name_gives_it_with_random_weights(name: str) -> None:
    source = load_source(name)
    assert (source.name, source.outputs[0].shape[-1], source.input.image_size()) == (
        name,
        1000,
        (256, 256),
    )
    assert source.provenance.kind == "variant"
    assert source.provenance.weights == "random (seed 0)"
    assert source.published == VARIANTS[name].published
    assert source.labels is None
    assert not source.model.training
    assert source.notes == (f"{name} has random weights (seed 0); its outputs mean nothing.",)


def test_a_variants_weights_are_the_same_every_time() -> None:
    assert_same_outputs(load_source("affnet_et"), load_source("affnet_et", variant="affnet_et"))


def test_a_variant_takes_activation_and_normalisation() -> None:
    source = load_source("affnet_et", activation="relu", attn_norm="layer_norm")
    assert (source.model.activation, source.model.attn_norm) == ("relu", "layer_norm")
    assert source.provenance.settings == {"activation": "relu", "attn_norm": "layer_norm"}
    again = reload_source(source.provenance)
    assert (again.model.activation, again.model.attn_norm) == ("relu", "layer_norm")
    assert_same_outputs(source, again)


def test_digits_is_trained_has_ten_labels_and_takes_64_pixels() -> None:
    source = load_source("digits")
    assert source.labels == tuple("0123456789")
    assert (source.outputs[0].shape[-1], source.input.image_size()) == (10, (64, 64))
    assert source.published is None
    assert source.notes == ()
    provenance = source.provenance
    assert (provenance.kind, provenance.weights) == ("bundled", "trained")
    assert provenance.sha256 == content_sha256(bundled_folder("digits") / "weights.safetensors")
    assert_same_outputs(source, reload_source(provenance))


@pytest.mark.parametrize("name", ["affnet_s", "Digits", "mobilevit"])
def test_an_unknown_name_is_answered_with_the_valid_ones(name: str) -> None:
    assert error_of(name, UnknownNameError) == (
        f"Unknown source {name!r}; valid: {NAMES}, a path, or module:function."
    )


@pytest.mark.parametrize("path", ["gone.pt", "folder/gone", "/gone"])
def test_what_looks_like_a_path_is_answered_as_one(path: str) -> None:
    assert error_of(path) == f"{path} does not exist; give the path of a checkpoint."


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("digits", {"ema": True}, "--ema does not apply to 'digits'."),
        ("digits", {"variant": "affnet_et"}, "--variant does not apply to 'digits'."),
        (
            "digits",
            {"attn_norm": "layer_norm", "activation": "relu"},
            "--activation, --attn-norm does not apply to 'digits'.",
        ),
        ("mobilevit_s", {"activation": "relu"}, "--activation does not apply to 'mobilevit_s'."),
        ("affnet_t", {"config": Path("c.yaml")}, "--config does not apply to 'affnet_t'."),
        ("affnet_t", {"ema": True}, "--ema does not apply to 'affnet_t'."),
        ("affnet_t", {"variant": "affnet"}, "--variant affnet contradicts the source 'affnet_t'."),
    ],
)
def test_options_that_do_not_apply_are_refused(
    source: str, options: dict[str, Any], message: str
) -> None:
    assert error_of(source, **options) == message


def test_an_unknown_activation_of_a_variant_is_answered_with_the_valid_ones() -> None:
    assert error_of("affnet", UnknownNameError, activation="mish") == (
        f"Unknown activation 'mish'; valid: {', '.join(ACTIVATIONS)}."
    )


def test_a_checkpoint_comes_with_its_configs_settings_and_labels(tmp_path: Path) -> None:
    config = save_config(tmp_path, CONFIG)
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\ne\nf\n")
    path = save(tmp_path, state_dict(), "best.pt")
    source = load_source(str(path))
    assert (source.name, source.outputs[0].shape[-1], source.input.image_size()) == (
        "best",
        6,
        (192, 320),
    )
    assert source.labels == tuple("abcdef")
    assert source.published is None  # of ImageNet's thousand classes only
    assert source.notes == (
        "best.pt is affnet_et with 6 classes, relu, layer_norm (config config.yaml).",
    )
    assert source.provenance.location == "best.pt"  # no folder of anybody's machine
    assert source.provenance.sha256 == content_sha256(path)
    assert source.provenance.settings == {
        "variant": "affnet_et",
        "config": config.name,
        "activation": "relu",
        "attn_norm": "layer_norm",
        "ema": False,
    }


def test_a_checkpoint_without_a_config_tells_what_was_assumed(tmp_path: Path) -> None:
    source = load_source(str(save(tmp_path, state_dict())), activation="swish")
    assert source.input.image_size() == (256, 256)
    assert source.labels is None
    assert source.notes == (
        "checkpoint_best.pt is affnet_et with 6 classes, swish, layer_norm_2d.",
        "Neither checkpoint_best.pt nor a config gives its attn_norm: assumed layer_norm_2d.",
    )


def test_labels_that_are_no_utf8_are_shown_as_far_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes(b"K\xe4fer\n" * 6)
    labels = load_source(str(save(tmp_path, state_dict()))).labels
    assert labels == ("K\N{REPLACEMENT CHARACTER}fer",) * 6


def test_labels_of_another_count_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\n")
    assert load_source(str(save(tmp_path, state_dict()))).labels is None


def test_an_artifacts_checkpoint_is_loaded_again_with_its_settings(tmp_path: Path) -> None:
    weights = {"model_state_dict": {}, "ema_state_dict": state_dict()}
    config = save_config(tmp_path, CONFIG, "recipe.txt")
    source = load_source(str(save(tmp_path, weights)), config=config, ema=True)
    again = reload_source(source.provenance)
    assert_same_outputs(source, again)
    assert again.provenance == source.provenance
    with torch.inference_mode():
        image = noise(1, 3, 32, 32)
        reference = reference_network(activation="relu", attn_norm="layer_norm")
        assert torch.equal(again.model(image), reference(image))


def test_a_checkpoint_that_changed_since_is_not_taken(tmp_path: Path) -> None:
    path = save(tmp_path, state_dict())
    provenance = load_source(str(path)).provenance
    save(tmp_path, {key: value + 1 for key, value in state_dict().items()})
    with pytest.raises(UsageError) as error:
        reload_source(provenance)
    assert str(error.value) == (
        f"{path} has changed since the artifact was exported from it; export again, or name the "
        "right file: --against PATH of affnet verify and eval."
    )


@pytest.mark.parametrize("place", ["where it was", "beside the artifact", "here", "seen before"])
def test_a_checkpoint_is_found_by_name_and_hash_where_it_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    work, elsewhere = tmp_path / "work", tmp_path / "elsewhere"
    for folder in (work / "trained", elsewhere):
        folder.mkdir(parents=True)
    monkeypatch.chdir(work)
    save_config(work / "trained", CONFIG)
    path = save(work / "trained", state_dict(), "best.pt")
    source = load_source(str(path))
    assert source.provenance.location == "trained/best.pt"
    assert source.provenance.settings["config"] == "trained/config.yaml"
    artifact = work / "build" / "best.onnx"
    if place == "beside the artifact":
        (work / "trained").rename(work / "build")
        monkeypatch.chdir(elsewhere)
    if place == "here":
        monkeypatch.chdir((work / "trained").rename(elsewhere / "new"))
    if place == "seen before":
        monkeypatch.chdir(elsewhere)
    else:
        KINDS["sources"].clear()
    assert_same_outputs(source, reload_source(source.provenance, artifact))


def test_a_checkpoint_that_is_gone_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = save(tmp_path, state_dict())
    provenance = load_source(str(path)).provenance
    moved = path.rename(tmp_path / "moved.pt")
    with pytest.raises(UsageError) as error:
        reload_source(provenance, tmp_path / "build" / "a.onnx")
    assert str(error.value) == (
        f"{tmp_path}/build/a.onnx was exported from {path.name}, which is neither where it was nor "
        "beside it; copy it there, or name it: --against PATH of affnet verify and eval."
    )
    assert reload_source(dataclasses.replace(provenance, location=str(moved))).name == "moved"


def test_emoji_has_the_labels_of_its_images_and_takes_64_pixels() -> None:
    source = load_source("emoji")
    assert source.input.image_size() == (64, 64)
    assert source.labels == open_dataset("emoji").classes
    assert (source.provenance.kind, source.provenance.weights) == ("bundled", "trained")
    assert (bundled_folder("emoji") / "weights.safetensors").stat().st_size < 6e6


def test_a_variant_with_another_mixer_is_made_for_the_image_size() -> None:
    source = load_source("affnet_et+reformer", image_size=(64, 96))
    assert (source.name, source.published) == ("affnet_et+reformer", None)
    assert source.input.image_size() == (64, 96)
    assert source.provenance.settings == {"image_size": [64, 96]}
    with torch.inference_mode():
        assert source.model(torch.zeros(1, 3, 64, 96)).shape == (1, 1000)
    again = reload_source(source.provenance)
    assert again.input == source.input
    assert again.model.state_dict().keys() == source.model.state_dict().keys()


def test_a_mixer_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="Unknown token mixer 'mamba'; valid: aff, gfnet"):
        load_source("affnet_et+mamba")


def test_a_peer_takes_no_mixer() -> None:
    with pytest.raises(UsageError, match="only AFFNet takes another token mixer"):
        load_source("mobilevit_xxs+twins")


@pytest.mark.parametrize("suffix", EXPORTED_SUFFIXES)
def test_a_file_for_a_runtime_is_no_source(suffix: str) -> None:
    with pytest.raises(UsageError, match="is a file for a runtime, not a network to load; name"):
        load_source(f"build/net{suffix}")


def test_every_suffix_of_a_runtimes_files_is_known() -> None:
    suffixes = {get_runtime(name).suffix for name in RUNTIMES}
    assert suffixes == {*EXPORTED_SUFFIXES, PROGRAM_SUFFIX}
