"""Both dense networks against what the published implementation returned."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from affnet import create_model
from affnet.errors import UnknownNameError, UsageError
from affnet.model.cost import count_parameters
from affnet.model.dense.anchors import make_anchors
from affnet.model.dense.ssdlite import map_sizes
from tests.reference import fill, reference_image

DATA = Path(__file__).parents[2] / "data"
DEEPLABV3, SSDLITE = "affnet_et_deeplabv3", "affnet_et_ssdlite"


@functools.cache
def network(name: str) -> nn.Module:
    return fill(create_model(name))


def assert_close(actual: torch.Tensor, expected: NDArray[np.float32]) -> None:
    assert actual.shape == expected.shape
    assert np.abs(actual.numpy() - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("name", [DEEPLABV3, SSDLITE])
def test_state_dict_has_the_published_names_shapes_and_order(name: str) -> None:
    published = json.loads((DATA / f"{name}_keys.json").read_text())
    entries = create_model(name).state_dict()
    assert [(key, list(value.shape)) for key, value in entries.items()] == list(published.items())


@pytest.mark.parametrize("size", [(256, 256), (512, 512), (320, 448)])
def test_score_maps_are_those_of_the_published_implementation(size: tuple[int, int]) -> None:
    height, width = size
    with np.load(DATA / f"maps_{DEEPLABV3}.npz") as maps:
        expected = maps[f"{DEEPLABV3}/swish/layer_norm_2d/{height}x{width}"]
    model = network(DEEPLABV3)
    with torch.inference_mode():
        scores = model(torch.from_numpy(reference_image(height, width)))
    assert scores.shape == model.output_specs(height, width)[0].shape == (1, 21, height, width)
    assert_close(scores[:, :, ::8, ::8], expected)


@pytest.mark.parametrize("size", [(320, 320), (256, 384)])
def test_scores_boxes_and_anchors_are_those_of_the_published_implementation(
    size: tuple[int, int],
) -> None:
    height, width = size
    prefix = f"{SSDLITE}/swish/layer_norm_2d/{height}x{width}"
    model = network(SSDLITE)
    with torch.inference_mode():
        scores, boxes = model(torch.from_numpy(reference_image(height, width)))
    specs = model.output_specs(height, width)
    assert (scores.shape, boxes.shape) == tuple(spec.shape for spec in specs)
    with np.load(DATA / f"boxes_{SSDLITE}.npz") as expected:
        assert_close(scores[:, ::7], expected[f"{prefix}/scores"])
        assert_close(boxes[:, ::7], expected[f"{prefix}/boxes"])
        anchors = expected[f"{prefix}/anchors"][0]
    np.testing.assert_allclose(make_anchors(map_sizes(height, width)), anchors, atol=1e-7)


def test_frozen_anchors_change_nothing() -> None:
    model = fill(create_model(SSDLITE, num_classes=3))
    image = torch.from_numpy(reference_image(64, 96))
    with torch.inference_mode():
        expected = model(image)
        model.anchors.freeze(map_sizes(64, 96))
        assert all(map(torch.equal, model(image), expected))
    assert not any("anchors" in name for name in model.state_dict())


@pytest.mark.parametrize(
    ("name", "millions"),
    [("affnet_et_deeplabv3", 2.2), ("affnet_t_deeplabv3", 3.5), ("affnet_deeplabv3", 7.0)],
)
def test_parameter_counts_are_the_published_ones(name: str, millions: float) -> None:
    with torch.device("meta"):
        assert round(count_parameters(create_model(name)) / 1e6, 1) == millions


@pytest.mark.parametrize("name", ["affnet_t_ssdlite", "affnet_ssdlite", "affnet_t_deeplabv3"])
def test_the_other_variants_run(name: str) -> None:
    model = create_model(name, num_classes=4, activation="relu", attn_norm="layer_norm").eval()
    with torch.inference_mode():
        outputs = model(torch.from_numpy(reference_image(32, 64)))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    specs = model.output_specs(32, 64)
    assert [tuple(output.shape) for output in outputs] == [spec.shape for spec in specs]
    assert all(bool(output.isfinite().all()) for output in outputs)


def test_networks_have_the_class_counts_of_their_data_sets_by_default() -> None:
    with torch.device("meta"):
        counts = [create_model(f"affnet_et{head}").num_classes for head in ("", *HEADS)]
    assert counts == [1000, 21, 81]


HEADS = ("_deeplabv3", "_ssdlite")


def test_bad_names_and_counts_are_answered_with_a_sentence() -> None:
    with pytest.raises(
        UnknownNameError, match="Unknown variant 'affnet_et_unet'; valid: affnet_et,"
    ):
        create_model("affnet_et_unet")
    with pytest.raises(UsageError, match="num_classes must be at least 1, not 0"):
        create_model("affnet_ssdlite", num_classes=0)
