"""The values that stand for trained weights."""

from __future__ import annotations

import pytest
import torch

from affnet import create_model
from affnet.model.random_weights import randomise
from tests.reference import fill
from tests.tiny import noise


def test_random_weights_are_those_of_the_reference() -> None:
    one, other = create_model("affnet_et", num_classes=3), create_model("affnet_et", num_classes=3)
    randomise(one)
    fill(other)
    for key, value in other.state_dict().items():
        assert torch.equal(value, one.state_dict()[key]), key


def test_random_weights_depend_on_the_seed() -> None:
    one, other = create_model("affnet_et", num_classes=3), create_model("affnet_et", num_classes=3)
    randomise(one, seed=1)
    randomise(other, seed=2)
    assert not torch.equal(one.classifier.fc.weight, other.classifier.fc.weight)


def test_random_weights_let_every_filter_pass_a_signal() -> None:
    model = create_model("affnet_et", num_classes=3)
    randomise(model)
    shares = []

    def record(_: torch.nn.Module, args: tuple[torch.Tensor], output: torch.Tensor) -> None:
        shares.append(float((output - args[0]).std() / args[0].std()))

    for module in model.eval().modules():
        if type(module).__name__ == "AdaptiveFrequencyFilter":
            module.register_forward_hook(record)
    with torch.inference_mode():
        model(noise(1, 3, 128, 128))
    assert len(shares) == 9
    assert min(shares) > 0.05  # what the filter adds is seen next to what it passes on


@pytest.mark.parametrize("variant", ["affnet_et", "affnet"])
def test_random_boxes_are_of_the_size_of_an_image(variant: str) -> None:
    model = create_model(f"{variant}_ssdlite", num_classes=3)
    randomise(model)
    with torch.inference_mode():
        _, boxes = model.eval()(noise(1, 3, 128, 128).sigmoid())
    sizes = boxes[..., 2:] - boxes[..., :2]
    assert sizes.min() > 0
    assert 1 < sizes.max() < 16
    assert sizes.std() > 0.1  # they depend on the anchor and the image
