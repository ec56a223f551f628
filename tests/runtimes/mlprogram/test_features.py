"""Image inputs, classifiers, flexible shapes, metadata and functions of models."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from affnet.errors import UsageError
from affnet.runtimes.mlprogram import load_program

ct = pytest.importorskip("coremltools")
torch = pytest.importorskip("torch")


class Channels(torch.nn.Module):
    """The mean of each channel, each channel weighted so that their order shows."""

    def __init__(self, channels=3):
        super().__init__()
        self.register_buffer("weight", 10.0 ** torch.arange(channels))

    def forward(self, x):
        return x.mean((2, 3)) * self.weight


@pytest.fixture
def convert(tmp_path):
    def make(module, example, finish=None, **options):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(module.eval(), example)
            model = ct.convert(
                traced,
                convert_to="mlprogram",
                compute_precision=ct.precision.FLOAT32,
                minimum_deployment_target=ct.target.iOS16,
                **options,
            )
            if finish:
                finish(model)
            model.save(str(tmp_path / "m.mlpackage"))
        return load_program(tmp_path / "m.mlpackage")

    return make


PICTURE = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


@pytest.mark.parametrize("layout", ["RGB", "BGR"])
def test_image_input(convert, layout):
    example = torch.zeros(1, 3, 6, 8)
    image = ct.ImageType(
        name="image",
        shape=example.shape,
        scale=1 / 255,
        bias=[0.1, 0.2, 0.3],
        color_layout=getattr(ct.colorlayout, layout),
    )
    program = convert(Channels(), example, inputs=[image])
    (feature,) = program.inputs
    assert (feature.kind, feature.color_layout, feature.shape) == ("image", layout, (1, 3, 6, 8))
    # the network sees its own order of channels, scaled and shifted by the program
    pixels = PICTURE[..., ::-1] if layout == "BGR" else PICTURE
    expected = (pixels.mean((0, 1)) / 255 + [0.1, 0.2, 0.3]) * [1, 10, 100]
    for value in (PICTURE, PICTURE.transpose(2, 0, 1)[None].astype(np.float32)):
        (result,) = program.predict({"image": value}).values()
        np.testing.assert_allclose(result[0], expected, rtol=1e-5)
    with pytest.raises(UsageError, match="takes an image, H x W x 3 of uint8"):
        program.predict({"image": PICTURE[..., 0]})
    with pytest.raises(UsageError, match="takes shape 1 x 3 x 6 x 8, not 1 x 3 x 5 x 8"):
        program.predict({"image": PICTURE[:5]})


def test_grey_image_input(convert):
    example = torch.zeros(1, 1, 6, 8)
    image = ct.ImageType(name="image", shape=example.shape, color_layout=ct.colorlayout.GRAYSCALE)
    program = convert(Channels(1), example, inputs=[image])
    (result,) = program.predict({"image": PICTURE[..., 0]}).values()
    np.testing.assert_allclose(result.ravel(), PICTURE[..., 0].mean(), rtol=1e-6)


@pytest.mark.parametrize("labels", [["cat", "dog", "bird"], [7, 5, 3]])
def test_classifier(convert, labels):
    program = convert(
        torch.nn.Softmax(dim=1),
        torch.zeros(1, 3),
        inputs=[ct.TensorType(name="x", shape=(1, 3))],
        classifier_config=ct.ClassifierConfig(labels),
    )
    assert program.class_labels == labels
    assert {output.kind for output in program.outputs} == {"label", "probabilities"}
    result = program.predict({"x": np.array([[0, 2, 1]], np.float32)})
    by_kind = {output.kind: result[output.name] for output in program.outputs}
    assert by_kind["label"] == labels[1]
    expected = np.exp([0, 2, 1]) / np.exp([0, 2, 1]).sum()
    assert by_kind["probabilities"] == pytest.approx(dict(zip(labels, expected, strict=True)), 1e-6)


def test_metadata(convert):
    def finish(model):
        model.author, model.license, model.version = "Ada", "MIT", "1.2"
        model.short_description = "Means"
        model.user_defined_metadata["source"] = "test"
        model.input_description["x"] = "a map"

    x = torch.zeros(1, 3, 4, 4)
    program = convert(Channels(), x, finish, inputs=[ct.TensorType(name="x", shape=x.shape)])
    metadata = program.metadata
    assert (metadata.author, metadata.licence, metadata.version) == ("Ada", "MIT", "1.2")
    assert metadata.description == "Means"
    assert metadata.user_defined["source"] == "test"
    assert program.inputs[0].description == "a map"
    assert program.deployment_target == "iOS16"
    assert program.class_labels is None


@pytest.mark.parametrize("kind", ["range", "choice"])
def test_flexible_shapes(convert, kind):
    shape = (
        ct.Shape((1, 3, ct.RangeDim(4, 16, 8), 8))
        if kind == "range"
        else ct.EnumeratedShapes([(1, 3, 8, 8), (1, 3, 16, 8)], default=(1, 3, 8, 8))
    )
    program = convert(
        torch.nn.Conv2d(3, 2, 3, stride=2, padding=1),
        torch.zeros(1, 3, 8, 8),
        inputs=[ct.TensorType(name="x", shape=shape)],
    )
    for height in (8, 16):
        (result,) = program.predict({"x": np.ones((1, 3, height, 8), np.float32)}).values()
        assert result.shape == (1, 2, height // 2, 4)
    wanted = "1 x 3 x 4..16 x 8" if kind == "range" else "1 x 3 x 8 x 8 or 1 x 3 x 16 x 8"
    with pytest.raises(UsageError, match=f"takes shape {wanted}, not 1 x 3 x 17 x 8"):
        program.predict({"x": np.ones((1, 3, 17, 8), np.float32)})


def test_float16_inputs_and_outputs(convert):
    program = convert(
        torch.nn.Identity(),
        torch.zeros(2, 3),
        inputs=[ct.TensorType(name="x", shape=(2, 3), dtype=np.float16)],
        outputs=[ct.TensorType(dtype=np.float16)],
    )
    x = np.full((2, 3), 1 / 3, np.float16)
    (result,) = program.predict({"x": x}).values()
    assert result.dtype == np.float16
    np.testing.assert_array_equal(result, x)
