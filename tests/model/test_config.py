"""Training configs: nested, dotted and mixed keys, and those that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from affnet.errors import ConfigError, UsageError
from affnet.model.config import find_config, read_config
from tests.model.files import save_config

NESTED = """
model:
  classification:
    n_classes: 1000
    affnet: {mode: x_small, attn_norm_layer: layer_norm}
    activation: {name: relu}
image_augmentation:
  center_crop: {size: 224}
"""
DOTTED = """
model.classification.n_classes: 1000
model.classification.affnet.mode: x_small
model.classification.affnet.attn_norm_layer: layer_norm
model.classification.activation.name: relu
image_augmentation.center_crop.size: 224
"""
DASHED = """
model.classification.n-classes: 1000
model.classification.affnet.mode: x_small
model.classification.affnet.attn-norm-layer: layer_norm
model.classification.activation.name: relu
image-augmentation.center-crop.size: 224
"""
MIXED = """
model.classification:
  n_classes: 1000
  affnet.mode: x_small
  affnet: {attn-norm-layer: layer_norm}
model:
  activation.name: relu
image_augmentation.center_crop: {size: [224, 224]}
"""


@pytest.mark.parametrize("text", [NESTED, DOTTED, DASHED, MIXED])
def test_nested_and_dotted_keys_say_the_same(text: str, tmp_path: Path) -> None:
    config = read_config(save_config(tmp_path, text))
    assert (config.variant, config.num_classes) == ("affnet_t", {"": 1000})
    assert (config.activation, config.attn_norm) == ("relu", "layer_norm")
    assert config.image_size == (224, 224)


def test_a_config_that_is_silent_leaves_everything_open(tmp_path: Path) -> None:
    config = read_config(save_config(tmp_path, "common: {seed: 0}\nmodel:\n"))
    assert config.variant is config.activation is None
    assert config.num_classes == {}
    assert config.attn_norm is config.image_size is None


def test_the_classification_activation_goes_before_the_models(tmp_path: Path) -> None:
    text = "model.activation.name: relu\nmodel.classification.activation.name: gelu\n"
    assert read_config(save_config(tmp_path, text)).activation == "gelu"


@pytest.mark.parametrize(
    ("size", "expected"),
    [("[192, 320]", (192, 320)), ("256", (256, 256)), ("none", None), ("[1, 2, 3]", None)],
)
def test_the_image_size_is_a_number_or_a_pair(
    size: str, expected: tuple[int, int] | None, tmp_path: Path
) -> None:
    text = f"image_augmentation.center_crop.size: {size}"
    assert read_config(save_config(tmp_path, text)).image_size == expected


def test_a_leaky_slope_other_than_the_networks_is_refused(tmp_path: Path) -> None:
    text = "model.activation: {name: leaky_relu, neg_slope: 0.1}"
    assert read_config(save_config(tmp_path, text)).activation == "leaky_relu"
    path = save_config(tmp_path, "model.activation: {name: leaky_relu, neg_slope: 0.2}")
    with pytest.raises(ConfigError, match=r"sets a negative slope of 0.2; only 0.1 is supported"):
        read_config(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", " is not valid YAML (line 3)."),
        ("a: 1\nb: 2\n  c: 3\n", " is not valid YAML (line 3)."),
        ("a: !!python/object/apply:os.getcwd []\n", " is not valid YAML (line 1)."),
        ("date: 2023-99-99\n", " is not valid YAML."),
        ("", " is not a training config: it holds no keys."),
        ("a: &a\n  b: *a\n", " is not a training config: its keys hold themselves."),
        ("- a\n- b\n", " is not a training config: it holds no keys."),
        (
            "model.classification.n_classes: many\n",
            ": model.classification.n_classes is 'many', not a number.",
        ),
        (
            "model: {classification: {affnet: {mode: base}}}\n",
            " names the mode 'base', of which no network is published; "
            "supported: xx_small, x_small, small.",
        ),
    ],
)
def test_a_config_that_cannot_be_used_is_told_why(text: str, sentence: str, tmp_path: Path) -> None:
    path = save_config(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        read_config(path)
    assert str(error.value) == f"{path}{sentence}"


def test_bytes_that_are_no_text_are_no_config(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(b"a: \xff\xfe\n")
    with pytest.raises(ConfigError, match="is not valid YAML"):
        read_config(path)


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        read_config(tmp_path)
    assert str(error.value) == f"{tmp_path} is a folder, not a training config (YAML)."


@pytest.mark.parametrize(
    ("beside", "found"),
    [
        (["best.yaml", "config.yaml"], "best.yaml"),
        (["config.yaml", "other.yaml"], "config.yaml"),
        (["config.yml", "notes.txt"], "config.yml"),
        (["recipe.yml"], "recipe.yml"),
        (["recipe.yml", "other.yaml"], None),
        ([], None),
    ],
)
def test_the_config_beside_a_checkpoint_is_of_its_name_or_the_only_one(
    beside: list[str], found: str | None, tmp_path: Path
) -> None:
    for name in beside:
        save_config(tmp_path, "", name)
    expected = None if found is None else tmp_path / found
    assert find_config(tmp_path / "best.pt") == expected
