"""The network against what the published implementation returned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from affnet import create_model
from affnet.errors import ImageSizeError, UnknownNameError, UsageError
from affnet.model.cost import count_parameters
from affnet.model.create import NETWORKS
from affnet.model.layers import ACTIVATIONS, NORMALISATIONS
from affnet.model.mixers import MIXERS
from affnet.model.network import AFFBlock
from affnet.model.variants import VARIANTS
from tests.reference import fill, reference_image
from tests.tiny import noise

DATA = Path(__file__).parents[1] / "data"
CASES = [
    (activation, norm, size)
    for activation, norm in (
        ("swish", "layer_norm_2d"),
        ("relu", "layer_norm_2d"),
        ("swish", "layer_norm"),
    )
    for size in ((256, 256), (224, 224), (192, 320))
]


@pytest.mark.parametrize("name", VARIANTS)
def test_state_dict_has_the_published_names_shapes_and_order(name: str) -> None:
    published = json.loads((DATA / f"{name}_keys.json").read_text())
    entries = create_model(name).state_dict()
    assert [(key, list(value.shape)) for key, value in entries.items()] == list(published.items())


@pytest.mark.parametrize("norm", NORMALISATIONS)
def test_both_normalisations_have_the_same_state_dict_shapes(norm: str) -> None:
    with torch.device("meta"):
        entries = create_model("affnet_et", attn_norm=norm, activation="relu").state_dict()
    published = json.loads((DATA / "affnet_et_keys.json").read_text())
    assert {key: list(value.shape) for key, value in entries.items()} == published


@pytest.mark.parametrize(("activation", "norm", "size"), CASES)
def test_logits_are_those_of_the_published_implementation(
    activation: str, norm: str, size: tuple[int, int]
) -> None:
    height, width = size
    with np.load(DATA / "logits_affnet_et.npz") as logits:
        expected = logits[f"affnet_et/{activation}/{norm}/{height}x{width}"]
    model = fill(create_model("affnet_et", activation=activation, attn_norm=norm))
    with torch.inference_mode():
        actual = model(torch.from_numpy(reference_image(height, width, batch=2))).numpy()
    assert actual.shape == expected.shape == (2, 1000)
    assert np.abs(actual - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("name", "millions"), [("affnet_et", 1.4), ("affnet_t", 2.6), ("affnet", 5.5)]
)
def test_parameter_counts_are_the_published_ones(name: str, millions: float) -> None:
    with torch.device("meta"):
        parameters = count_parameters(create_model(name))
    assert parameters == pytest.approx(millions * 1e6, rel=0.04)  # published to two digits
    assert VARIANTS[name].published.parameters_millions == millions


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_builds_a_network_that_runs(activation: str) -> None:
    model = fill(create_model("affnet_et", num_classes=7, activation=activation))
    with torch.inference_mode():
        logits = model(noise(1, 3, 64, 96))
    assert logits.shape == (1, 7)
    assert bool(logits.isfinite().all())
    assert float(logits.std()) > 0


def test_every_activation_computes_another_function() -> None:
    image = noise(1, 3, 32, 32)
    with torch.inference_mode():
        rows = [fill(create_model("affnet_et", activation=a))(image)[0] for a in ACTIVATIONS]
    distances = torch.cdist(torch.stack(rows), torch.stack(rows))
    assert float(distances.add(torch.eye(len(rows)) * 1e9).min()) > 1e-3


def test_images_of_one_batch_do_not_influence_each_other() -> None:
    model = fill(create_model("affnet_et"))
    images = noise(3, 3, 64, 64)
    with torch.inference_mode():
        together = model(images)
        alone = torch.cat([model(image[None]) for image in images])
    assert float((together - alone).abs().max()) < 1e-5 * float(alone.abs().max())


def test_odd_map_sizes_run_although_no_export_takes_them() -> None:
    model = fill(create_model("affnet_et", num_classes=3))
    with torch.inference_mode():
        logits = model(noise(2, 3, 37, 51))
    assert logits.shape == (2, 3)
    assert bool(logits.isfinite().all())


def test_every_parameter_receives_a_gradient_in_training() -> None:
    torch.manual_seed(0)
    model = fill(create_model("affnet_et", num_classes=4)).train()
    loss = torch.nn.functional.cross_entropy(model(noise(4, 3, 64, 64)), torch.arange(4))
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert float(parameter.grad.abs().max()) > 0, name


def test_training_steps_lower_the_loss() -> None:
    torch.manual_seed(0)
    model = create_model("affnet_et", num_classes=2)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    images, classes = noise(4, 3, 32, 32), torch.tensor([0, 1, 0, 1])
    losses = []
    for _ in range(6):
        loss = torch.nn.functional.cross_entropy(model(images), classes)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"name": "affnet_xl"},
            f"Unknown variant 'affnet_xl'; valid: {', '.join(NETWORKS)}.",
        ),
        (
            {"name": "affnet", "activation": "prelu"},
            "Unknown activation 'prelu'; valid: " + ", ".join(ACTIVATIONS) + ".",
        ),
        (
            {"name": "affnet", "attn_norm": "batch_norm"},
            "Unknown normalisation 'batch_norm'; valid: layer_norm_2d, layer_norm.",
        ),
    ],
)
def test_unknown_names_are_answered_with_the_valid_ones(
    arguments: dict[str, str], message: str
) -> None:
    with pytest.raises(UnknownNameError) as error:
        create_model(**arguments)
    assert str(error.value) == message


@pytest.mark.parametrize("num_classes", [0, -1])
def test_a_class_count_below_one_is_refused(num_classes: int) -> None:
    with pytest.raises(UsageError, match=f"num_classes must be at least 1, not {num_classes}"):
        create_model("affnet_et", num_classes=num_classes)


@pytest.mark.parametrize("mixer", MIXERS)
def test_any_mixer_takes_the_filters_place(mixer: str) -> None:
    """All but the filters keep their names and shapes, and so do the maps."""
    published = create_model("affnet_et", num_classes=7).state_dict()
    model = create_model("affnet_et", num_classes=7, mixer=mixer, image_size=(64, 96)).eval()
    entries = model.state_dict()

    def others(state: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
        return {name: value.shape for name, value in state.items() if ".filter." not in name}

    assert others(entries) == others(published)
    assert (entries.keys() == published.keys()) is (mixer in ("aff", "afno"))
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 64, 96)).shape == (1, 7)


def test_a_block_adds_its_input_around_any_mixer_as_the_filter_does() -> None:
    x = torch.randn(1, 8, 6, 6)
    block = AFFBlock(8, "swish", "layer_norm_2d", "pool", (6, 6)).eval()
    y = block.norm2(block.mlp(block.norm1(x)))
    mean = torch.nn.functional.avg_pool2d(y, 3, 1, 1, count_include_pad=False)
    torch.testing.assert_close(block(x), x + mean)  # pooling subtracts what the residual adds


def test_a_mixer_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="Unknown token mixer 'mamba'"):
        create_model("affnet_et", mixer="mamba")


def test_maps_follow_from_an_image_size_that_the_network_takes() -> None:
    with pytest.raises(ImageSizeError, match="100x100"):
        create_model("affnet_et", mixer="gfnet", image_size=(100, 100))
