"""Files of 8 bits from border to border."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from affnet.evaluation.pictures import look_at
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.export.quantization.calibration import load_calibration
from affnet.export.quantization.sensitivity import KeptFloat
from affnet.preprocessing import published
from affnet.runtimes import runtime_for
from tests.conftest import Finished
from tests.tiny import tiny_source

pytestmark = pytest.mark.converters


@pytest.mark.parametrize(
    ("dtype", "taken", "given", "kept"),
    [
        ("uint8", (0.0, 255.0), (0.0, 256.0), ()),
        ("int8", (-128.0, 127.0), (-128.0, 128.0), ()),
        ("int8", (-128.0, 127.0), (-128.0, 128.0), (KeptFloat("stem", 0.5),)),
    ],
    ids=["uint8", "int8", "the first layer in float32"],
)
def test_a_file_takes_and_gives_integers(
    dtype: str, taken: tuple, given: tuple, kept: tuple, tmp_path: Path
) -> None:
    calibration = load_calibration(tiny_source(), "bundled", 20)
    options = ExportOptions(
        "tflite", precision="int8", calibration=calibration, io_type=dtype, kept_float=kept
    )
    artifact = export_artifact(tiny_source(), options, tmp_path)
    (inside,), (outside,) = artifact.manifest.inputs, artifact.manifest.outputs
    assert (inside.dtype, inside.range) == (dtype, taken)
    assert (outside.name, outside.dtype, outside.range) == ("probabilities", dtype, given)
    described = runtime_for("tflite").describe(artifact.path)
    assert (described.inputs[0].dtype, described.outputs[0].dtype) == (dtype, dtype)
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.psnr_db > 25
    noise = np.random.default_rng(0).normal(128, 60, (50, 40)).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(noise).convert("RGB")
    picture.save(tmp_path / "picture.png")
    (seen,) = look_at(artifact, [tmp_path / "picture.png"], 0.0)
    pixels = published("classification", (32, 32))(picture)
    with torch.inference_mode():
        (wanted,) = torch.softmax(tiny_source().model(torch.from_numpy(pixels[None])), 1)
    scores = {int(one["label"].split()[-1]): one["score"] for one in seen.classes}
    assert scores == pytest.approx(dict(enumerate(wanted.tolist())), abs=0.05)
    assert sum(scores.values()) == pytest.approx(1, abs=0.02)


def test_integers_outside_a_file_of_floats_are_refused(
    run: Callable[..., Finished], tmp_path: Path
) -> None:
    for options in (("-f", "onnx"), ("-f", "tflite", "--precision", "fp16")):
        done = run("export", "digits", *options, "--io-type", "uint8", "-o", tmp_path, "--quiet")
        assert done.code == 2
        assert done.error.startswith("--io-type uint8 is of files that compute in 8 bits; add ")


def test_logits_have_a_range_of_their_own(tmp_path: Path) -> None:
    source = tiny_source()
    calibration = load_calibration(source, "bundled", 20)
    options = ExportOptions(
        "tflite", precision="int8", calibration=calibration, io_type="int8", head="logits"
    )
    artifact = export_artifact(source, options, tmp_path)
    (logits,) = artifact.manifest.outputs
    low, high = logits.range
    assert (logits.name, logits.dtype) == ("logits", "int8")
    assert -128 <= low <= 127
    images = np.zeros((1, 32, 32, 3), np.int8)
    (found,) = runtime_for("tflite").load(artifact.path, threads=1).run(images)
    with torch.inference_mode():
        wanted = source.model(torch.full((1, 3, 32, 32), 128 / 255)).numpy()
    np.testing.assert_allclose((found - low) / (high - low), wanted, atol=np.abs(wanted).max() / 8)
