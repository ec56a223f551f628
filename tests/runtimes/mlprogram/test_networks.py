"""Whole networks, converted and saved, against PyTorch with reference weights.

The quality of float16 is PSNR, with the largest absolute logit as the peak.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from affnet.export.fourier.plans.dense import DensePlan
from affnet.export.fourier.plans.separable import SeparablePlan
from affnet.model.create import create_model
from affnet.model.layers import ACTIVATIONS, ConvLayer
from affnet.model.mixer import AdaptiveFrequencyFilter
from affnet.model.network import AFFNet
from affnet.runtimes.mlprogram import load_program, unsupported_operators
from tests.reference import fill, reference_image
from tests.tiny import TinyNet

ct = pytest.importorskip("coremltools")

#: Stride of the map that each filter of an AFFNet sees.
STRIDES = [8] * 2 + [16] * 4 + [32] * 3


def affnet(name, size, **options):
    model = fill(create_model(name, **options))
    with_plans(model, size, STRIDES)
    return model


def with_plans(model, size, strides, plan=SeparablePlan):
    filters = [m for m in model.modules() if isinstance(m, AdaptiveFrequencyFilter)]
    for part, stride in zip(filters, strides, strict=True):
        part.transform = plan(size // stride, size // stride)


def statistics_in_float32(op):
    """Select for float16 all but the statistics of GroupNorm, whose squares overflow it."""
    return op.op_type not in ("square", "reduce_mean", "sqrt", "sub", "real_div", "add") or (
        len(op.outputs[0].shape) != 5 and op.outputs[0].shape != (1,) * 5
    )


@pytest.fixture
def run(tmp_path):
    """Return a function from a network to PyTorch's and the evaluator's logits, by precision."""

    def convert(exported, shape, precision):
        mixed = ct.transform.FP16ComputePrecision(op_selector=statistics_in_float32)
        converted = ct.convert(
            exported,
            convert_to="mlprogram",
            compute_precision=mixed if precision == "MIXED" else getattr(ct.precision, precision),
            minimum_deployment_target=ct.target.iOS16,
            inputs=[ct.TensorType(name="image", shape=shape)],
        )
        converted.save(str(tmp_path / f"{precision}.mlpackage"))
        return load_program(tmp_path / f"{precision}.mlpackage")

    def evaluate(program, image):
        assert unsupported_operators(program) == []
        (result,) = program.predict({"image": image}).values()
        return result

    def run(model, size, *precisions):
        image = reference_image(size, size)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            expected = model(torch.from_numpy(image)).numpy()
            exported = torch.export.export(model, (torch.from_numpy(image),))
            exported = exported.run_decompositions({})
            programs = [convert(exported, image.shape, name) for name in precisions]
        return expected, *[evaluate(program, image) for program in programs]

    return run


def relative_error(expected, result):
    return np.abs(expected - result).max() / np.abs(expected).max()


def psnr(expected, result):
    noise = np.mean(np.square(expected.astype(np.float64) - result))
    return 10 * np.log10(np.square(np.abs(expected).max()) / noise)


def test_each_stage_with_one_block_in_both_precisions(run, monkeypatch):
    monkeypatch.setattr(AFFNet, "_STAGE_BLOCKS", (1, 1, 1))
    model = fill(create_model("affnet"))  # the largest: squares of its norms overflow float16
    with_plans(model, 64, [8, 16, 32])
    expected, single, half = run(model, 64, "FLOAT32", "FLOAT16")
    assert relative_error(expected, single) < 1e-4
    assert 1e-5 < relative_error(expected, half) < 1e-2  # float16 is felt, and harmless
    assert psnr(expected, half) > 60
    assert expected.argmax() == single.argmax() == half.argmax()


def test_dense_plan(run):
    model = fill(TinyNet())
    with_plans(model, 128, [8], DensePlan)
    expected, result = run(model, 128, "FLOAT32")
    assert relative_error(expected, result) < 1e-4


def mobilevit_xxs():
    transformers = pytest.importorskip("transformers")
    config = transformers.MobileViTConfig(
        image_size=128,
        hidden_sizes=[64, 80, 96],
        neck_hidden_sizes=[16, 16, 24, 48, 64, 80, 320],
        expand_ratio=2.0,
        num_labels=1000,
    )
    return transformers.MobileViTForImageClassification(config)


class Logits(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x).logits


@pytest.mark.exhaustive  # its attention is DeiT's, its convolutions are EfficientNet's
def test_mobilevit_xxs_in_float32(run):
    expected, result = run(fill(Logits(mobilevit_xxs())), 128, "FLOAT32")
    assert relative_error(expected, result) < 1e-4
    assert expected.argmax() == result.argmax()


class Activated(torch.nn.Module):
    """One convolution for each activation, side by side."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList(
            ConvLayer(3, 8, 3, activation=activation) for activation in ACTIVATIONS
        )

    def forward(self, x):
        return torch.stack([layer(4 * x - 2) for layer in self.layers])


def test_activations(run):
    expected, result = run(fill(Activated()), 32, "FLOAT32")
    assert np.ptp(expected, axis=(1, 2, 3, 4)).min() > 0.1
    for one, other in zip(expected, result, strict=True):
        assert relative_error(one, other) < 1e-4


@pytest.mark.exhaustive
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_of_the_whole_network(run, activation):
    expected, result = run(affnet("affnet_et", 64, activation=activation), 64, "FLOAT32")
    assert relative_error(expected, result) < 1e-4


def test_other_normalization(run):
    model = fill(TinyNet(attn_norm="layer_norm"))
    with_plans(model, 64, [8])
    expected, result = run(model, 64, "FLOAT32")
    assert relative_error(expected, result) < 1e-4


@pytest.mark.exhaustive
@pytest.mark.parametrize("size", [224, 256])
@pytest.mark.parametrize("name", ["affnet_et", "affnet_t", "affnet"])
def test_float16_quality(run, name, size):
    """Squares of GroupNorm overflow float16 in the larger variants, which costs 30 dB."""
    expected, result = run(affnet(name, size), size, "FLOAT16")
    assert psnr(expected, result) > (65 if name == "affnet_et" else 38)
    if name == "affnet_et":
        assert 1e-5 < relative_error(expected, result) < 1e-2  # float16 is felt, and harmless
    assert expected.argmax() == result.argmax()


@pytest.mark.exhaustive  # it is coremltools that mixes the precisions
@pytest.mark.parametrize("name", ["affnet_t", "affnet"])
def test_float16_quality_with_statistics_in_float32(run, name):
    expected, result = run(affnet(name, 256), 256, "MIXED")
    assert psnr(expected, result) > 65
    assert expected.argmax() == result.argmax()


#: Each peer's input size and configuration: as published, and small with the same operators.
PEERS = {
    "MobileNetV2": (224, {}),
    "MobileViTV2": (256, {}),
    "DeiT": (224, {"hidden_size": 192, "num_attention_heads": 3, "intermediate_size": 768}),
    "EfficientNet": (
        224,
        {"image_size": 224, "width_coefficient": 1.0, "depth_coefficient": 1.0, "hidden_dim": 1280},
    ),
}
SMALL_PEERS = {
    "MobileNetV2": (64, {"depth_multiplier": 0.35}),
    "MobileViTV2": (128, {"width_multiplier": 0.5}),
    "DeiT": (
        64,
        {"image_size": 64, "hidden_size": 96, "num_attention_heads": 3, "intermediate_size": 384,
         "num_hidden_layers": 3},
    ),
    "EfficientNet": (
        64,
        {"image_size": 64, "width_coefficient": 0.5, "depth_coefficient": 0.35, "hidden_dim": 640},
    ),
}  # fmt: skip


def of_transformers(name, options):
    transformers = pytest.importorskip("transformers")
    config = getattr(transformers, f"{name}Config")(num_labels=1000, **options)
    return fill(Logits(getattr(transformers, f"{name}ForImageClassification")(config)))


@pytest.mark.parametrize(
    "name",
    [
        "DeiT",
        "EfficientNet",
        *(
            pytest.param(name, marks=pytest.mark.exhaustive)
            for name in ("MobileNetV2", "MobileViTV2")
        ),
    ],
)
def test_small_peers(run, name):
    size, options = SMALL_PEERS[name]
    expected, result = run(of_transformers(name, options), size, "FLOAT32")
    assert psnr(expected, result) > 100
    assert expected.argmax() == result.argmax()


@pytest.mark.exhaustive
@pytest.mark.parametrize("precision", ["FLOAT32", "FLOAT16"])
@pytest.mark.parametrize("name", PEERS)
def test_peers(run, name, precision):
    size, options = PEERS[name]
    expected, result = run(of_transformers(name, options), size, precision)
    assert psnr(expected, result) > (100 if precision == "FLOAT32" else 50)
    assert expected.argmax() == result.argmax()


def test_strides_are_those_of_the_network():
    assert len(STRIDES) == sum(AFFNet._STAGE_BLOCKS)
