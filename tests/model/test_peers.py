"""The networks to compare with: what they are, and what they cost."""

from __future__ import annotations

import copy
import sys

import pytest
import torch

from affnet.errors import ImageSizeError, MissingError, UnknownNameError
from affnet.model.cost import count_macs, count_parameters
from affnet.model.peers import PEERS, create_peer
from affnet.model.peers.building import as_network
from affnet.model.random_weights import randomise
from affnet.model.source import load_source
from tests.tiny import noise


@pytest.mark.parametrize("name", PEERS)
def test_counts_are_the_published_ones_within_their_rounding(name: str) -> None:
    """Which proves the configuration; where a table counts otherwise, the registry says how."""
    peer = PEERS[name]
    with torch.device("meta"):  # shapes without values
        network = create_peer(name)
        macs = count_macs(network, (torch.zeros(1, 3, *peer.size),))
    parameters = count_parameters(network) / 1e6
    tolerance = 0.3 if peer.difference else 0.06
    assert parameters == pytest.approx(peer.published.parameters_millions, abs=tolerance)
    assert macs / 1e9 == pytest.approx(peer.published.macs_billions, rel=0.04, abs=0.05)


def test_the_parameters_that_published_counts_leave_out_are_those_named() -> None:
    with torch.device("meta"):
        pvt, mobilenet = create_peer("pvt_v2_b0"), create_peer("mobilenet_v2")
    classifier = count_parameters(pvt.model.classifier)
    assert round((count_parameters(pvt) - classifier) / 1e6, 1) == 3.4
    weights = sum(p.numel() for n, p in mobilenet.named_parameters() if "normalization" not in n)
    assert round(weights / 1e6, 2) == 3.47


@pytest.mark.parametrize("name", ["mobilevit_xxs", "pp_lcnet_100"])
def test_a_peer_returns_its_logits_alone(name: str) -> None:
    peer = create_peer(name)
    randomise(peer)
    with torch.inference_mode():
        logits = peer(noise(2, 3, 64, 64))
    assert logits.shape == (2, 1000)
    assert float(logits.std()) > 0
    assert not peer.training


def test_mobilevitv2_computes_what_transformers_does() -> None:
    import transformers

    config = transformers.MobileViTV2Config(num_labels=3, width_multiplier=0.5)
    network = transformers.MobileViTV2ForImageClassification(config).eval()
    randomise(network)
    images = noise(2, 3, 64, 128)
    with torch.inference_mode():
        expected = network(images).logits
        simplified = as_network(network)(images)
    torch.testing.assert_close(simplified, expected, rtol=1e-5, atol=1e-5)


def test_the_image_and_not_only_biases_reaches_pp_lcnets_outputs() -> None:
    model = load_source("pp_lcnet_100").model
    with torch.inference_mode():
        one, other = model(torch.stack((torch.zeros(3, 224, 224), torch.ones(3, 224, 224))))
    assert (one - other).abs().max() > 0.1 * one.abs().max()  # 1e-4 hid behind a tolerance


def test_levits_random_weights_leave_its_softmax_soft() -> None:
    model = load_source("levit_128s").model
    double = copy.deepcopy(model).double()
    images = noise(1, 3, 224, 224)
    with torch.inference_mode():
        expected = double(images.double())
        error = (model(images) - expected).abs().max() / expected.abs().max()
    assert error < 1e-5  # it was 1e-2 of an export's output, by one token instead of another


def test_a_peer_is_a_source_at_its_own_image_size() -> None:
    source = load_source("mobilenet_v2")
    assert source.input.image_size() == (224, 224)
    assert source.provenance.weights == "random (seed 0)"
    assert source.notes == (
        "mobilenet_v2 has random weights (seed 0); latency does not depend on them.",
    )


def test_a_size_that_position_embeddings_forbid_is_refused() -> None:
    with pytest.raises(ImageSizeError) as error:
        PEERS["deit_tiny"].rule.check("deit_tiny", 256, 256)
    assert str(error.value) == (
        "deit_tiny cannot take 256x256 images: its position embeddings are bound to 224x224."
    )


def test_an_unknown_peer_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(UnknownNameError) as error:
        create_peer("resnet50")
    assert str(error.value) == f"Unknown peer 'resnet50'; valid: {', '.join(PEERS)}."


def test_a_missing_package_is_answered_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingError) as error:
        create_peer("mobilevit_s")
    assert str(error.value) == (
        "Building mobilevit_s needs the package 'transformers', which is not installed; "
        "run: pip install 'affnet[peers]'"
    )
