"""The networks to compare with, and what all networks cost."""

from __future__ import annotations

import sys

import pytest
import torch

from affnet import create_model
from affnet.errors import MissingError, UnknownNameError
from affnet.model.cost import count_macs, count_parameters
from affnet.model.peers import PEERS, create_peer
from affnet.model.random_weights import randomise
from tests.reference import fill
from tests.tiny import noise

# parameters as published; multiply-accumulates as counted with a plan in place of the FFT
PEER_COSTS = {
    "mobilevit_xxs": (1.27e6, 407e6),
    "mobilevit_xs": (2.32e6, 1026e6),
    "mobilevit_s": (5.58e6, 2001e6),
}


@pytest.mark.parametrize("name", PEERS)
def test_peers_have_the_published_parameters_and_work(name: str) -> None:
    parameters, macs = PEER_COSTS[name]
    peer = create_peer(name)
    assert count_parameters(peer) == pytest.approx(parameters, rel=0.01)
    assert count_macs(peer, (1, 3, 256, 256)) == pytest.approx(macs, rel=0.01)


def test_a_peer_returns_its_logits_alone() -> None:
    peer = create_peer("mobilevit_xxs")
    randomise(peer)
    with torch.inference_mode():
        logits = peer(noise(2, 3, 64, 64))
    assert logits.shape == (2, 1000)
    assert float(logits.std()) > 0
    assert not peer.training


def test_an_unknown_peer_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(UnknownNameError) as error:
        create_peer("resnet50")
    assert str(error.value) == (
        "Unknown peer 'resnet50'; valid: mobilevit_xxs, mobilevit_xs, mobilevit_s."
    )


def test_a_missing_package_is_answered_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingError) as error:
        create_peer("mobilevit_s")
    assert str(error.value) == (
        "Building mobilevit_s needs the package 'transformers', which is not installed; "
        "run: pip install 'affnet[peers]'"
    )


@pytest.mark.parametrize(
    ("name", "macs"), [("affnet_et", 343e6), ("affnet_t", 757e6), ("affnet", 1386e6)]
)
def test_without_plans_only_the_mixers_channel_products_are_counted(name: str, macs: float) -> None:
    counted = count_macs(create_model(name).eval(), (1, 3, 256, 256))
    assert macs < counted < 1.1 * macs  # the mixers' own share is 11 to 16 %


def test_work_grows_with_the_pixels_and_parameters_do_not() -> None:
    model = create_model("affnet_et", num_classes=1).eval()
    head = 576  # the classifier and nothing else sees no pixels
    small, large = (
        count_macs(model, (1, 3, 64, 64)) - head,
        count_macs(model, (1, 3, 128, 128)) - head,
    )
    # the half spectrum of a map of W columns has W // 2 + 1: a little more than half
    assert 3.5 * small < large < 4 * small


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
