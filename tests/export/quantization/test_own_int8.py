"""8 bits of networks of the user's own, calibrated on samples of what they take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from affnet.artifact import Artifact
from affnet.model.source.loading import reload_source
from affnet.runtimes import runtime_for
from tests.conftest import Finished
from tests.export.fourier.rewriting import THIRD_PARTY_WARNINGS

pytestmark = THIRD_PARTY_WARNINGS
SOURCE = "tests.networks.quantized_networks:keyword"
FORMATS = [
    "onnx",
    *(
        pytest.param(name, marks=[pytest.mark.converters, pytest.mark.slow])
        for name in ("tflite", "executorch", "openvino")
    ),
]


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """Return a folder of 22 pairs of a signal and a gain."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(22):
        signal = generator.standard_normal((1, 400)).astype(np.float32)
        gain = np.full((1, 1, 1), 0.5 + generator.random(), np.float32)
        np.savez(folder / f"{number}.npz", signal=signal, gain=gain)
    return folder


@pytest.mark.parametrize("format_", FORMATS)
def test_samples_calibrate_it(
    format_: str, samples: Path, run: Callable[..., Finished], tmp_path: Path
) -> None:
    options = ("--format", format_, "--precision", "int8", "--calibration-data", samples)
    done = run("export", SOURCE, *options, "-o", tmp_path, "--quiet")
    assert (done.code, done.err) == (0, "")
    assert "calibrated on 22 samples of recordings" in " ".join(done.out.split())
    (path,) = (one for one in tmp_path.glob("quantized_networks_keyword_int8.*") if one.suffix in
               (".onnx", ".tflite", ".pte", ".xml"))  # fmt: skip
    artifact = Artifact.open(path)
    assert artifact.manifest.precision == "int8"
    if format_ != "executorch":  # whose runtime does not see what is in delegates
        assert runtime_for(format_).describe(path).precision == "int8"
    network = reload_source(artifact.manifest.provenance, path).model
    session = runtime_for(format_).load(path, threads=1)
    stored = [dict(np.load(one)) for one in sorted(samples.iterdir())]
    pairs = [(one["signal"], one["gain"]) for one in stored]
    given = np.concatenate([session.run(*pair)[0] for pair in pairs])
    expected = np.concatenate(
        [network(*map(torch.from_numpy, pair)).detach().numpy() for pair in pairs]
    )
    noise = np.abs(given - expected).std() / expected.std()
    assert 1e-4 < noise < 0.2
    unknown = run("verify", path, "--quiet")
    assert unknown.code == 2
    assert "in ranges that it has from 22 samples of recordings" in unknown.error
    assert run("verify", path, "--quiet", "--verify-on", samples).code == 0


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("network", ["blocks", "recorded"])
def test_layers_of_signals_are_in_8_bits_and_transforms_are_not(
    network: str, format_: str, run: Callable[..., Finished], tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((24, 1, 256), np.float32))
    data = ("--calibration-data", tmp_path / "x.npy", "--output", tmp_path / "out", "--json")
    source = f"tests.networks.quantized_networks:{network}"
    done = run("export", source, "--format", format_, "--precision", "int8", *data)
    assert done.code == 0, done.err
    # 43 dB or so; convolutions in float32 and parts of the transforms in 8 bits gave 29 dB
    assert 36 < done.json["psnr_db"] < 60


def exported(
    run: Callable[..., Finished], network: str, folder: Path, *options: object, scale: float = 1.0
) -> dict[str, Any]:
    """Return what an export in 8 bits says, calibrated on noise of the network's one input."""
    shape = NETWORKS[network]
    noise = np.random.default_rng(0).standard_normal((24, *shape), np.float32)
    np.save(folder / "x.npy", scale * noise)
    data = ("--calibration-data", folder / "x.npy", "--output", folder / "out", "--json")
    source = f"tests.networks.quantized_networks:{network}"
    done = run("export", source, "--precision", "int8", *data, *options)
    assert done.code == 0, done.err
    found: dict[str, Any] = done.json
    return found


NETWORKS = {
    "feed_forward": (1, 8, 64),
    "attention": (1, 8, 64),
    "beside": (1, 64),
    "pcm": (1, 64),
    "words": (1, 12),
}


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("network", ["feed_forward", "attention"])
def test_layers_are_in_8_bits_whatever_stands_between_them(
    network: str, format_: str, run: Callable[..., Finished], tmp_path: Path
) -> None:
    assert 34 < exported(run, network, tmp_path, "--format", format_)["psnr_db"] < 60


def products_in_8_bits(path: str) -> int:
    """Return how many products of an ONNX file have weights of 8 bits."""
    graph = onnx.load(path).graph
    widened = {node.output[0]: node.input[0] for node in graph.node
               if node.op_type == "DequantizeLinear"}  # fmt: skip
    weights = {tensor.name for tensor in graph.initializer}
    return sum(
        node.op_type in ("Conv", "Gemm", "MatMul") and widened.get(node.input[1]) in weights
        for node in graph.node
    )


@pytest.mark.parametrize(
    ("kept", "count"),
    [((), 5), (("up",), 4), (("lists",), 2), (("lists.0",), 3), (("alias",), 3)],
)
def test_onnx_has_each_layer_in_8_bits_but_those_that_are_kept(
    kept: tuple[str, ...], count: int, run: Callable[..., Finished], tmp_path: Path
) -> None:
    options = [word for module in kept for word in ("--keep-float", module)]
    found = exported(run, "feed_forward", tmp_path, *options)
    assert products_in_8_bits(found["artifact"]) == count


def test_all_that_is_kept_leaves_nothing(run: Callable[..., Finished], tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((2, 1, 64), np.float32))
    options = ("--calibration-data", tmp_path, "--keep-float", "layer")
    source = "tests.networks.quantized_networks:beside"
    done = run("export", source, "--precision", "int8", *options)
    assert done.code == 2
    assert "--keep-float leaves nothing of quantized_networks_beside in int8" in done.error


@pytest.mark.parametrize("format_", FORMATS)
def test_a_transform_of_what_a_layer_takes_is_exact(
    format_: str, run: Callable[..., Finished], tmp_path: Path
) -> None:
    path = Path(exported(run, "beside", tmp_path, "--format", format_)["artifact"])
    session = runtime_for(format_).load(path, threads=1)
    signal = np.load(tmp_path / "x.npy")[0]
    twice, _ = session.run(signal)
    np.testing.assert_allclose(twice, 2 * signal, atol=1e-4)


@pytest.mark.parametrize("format_", FORMATS)
def test_small_weights_of_large_numbers_keep_their_bits(
    format_: str, run: Callable[..., Finished], tmp_path: Path
) -> None:
    assert exported(run, "pcm", tmp_path, "--format", format_, scale=20000)["psnr_db"] > 30


def test_other_batches_are_of_samples(run: Callable[..., Finished], tmp_path: Path) -> None:
    found = exported(run, "feed_forward", tmp_path, "--dynamic", "batch", scale=1e-3)
    assert found["psnr_db"] > 30
    names = [one["name"] for one in found["inputs"]]
    assert "the example, batch 2" in names
    assert not [name for name in names if "noise" in name]


@pytest.mark.parametrize("format_", FORMATS)
def test_inputs_may_be_numbers_of_words(
    format_: str, run: Callable[..., Finished], tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 50, (24, 1, 12)))
    data = ("--calibration-data", tmp_path / "x.npy", "--output", tmp_path / "out", "--json")
    source = "tests.networks.quantized_networks:words"
    done = run("export", source, "--format", format_, "--precision", "int8", *data)
    assert done.code == 0, done.err
    assert 36 < done.json["psnr_db"] < 60


@pytest.mark.converters
@pytest.mark.slow
@pytest.mark.parametrize(
    ("format_", "precision"),
    [("tflite", "int8-weights"), ("coreml", "int8-weights"), ("coreml", "palette4")],
)
def test_weights_alone_are_those_of_layers(
    format_: str, precision: str, run: Callable[..., Finished], tmp_path: Path
) -> None:
    done = run("export", SOURCE, "--format", format_, "--precision", precision, "-o", tmp_path,
               "--json")  # fmt: skip
    assert done.code == 0, done.err
    assert done.json["psnr_db"] > 34  # 11 and 33 with the transform's matrices


@pytest.mark.converters
@pytest.mark.slow
def test_a_kept_module_has_its_weights_in_float(
    run: Callable[..., Finished], tmp_path: Path
) -> None:
    sizes = {}
    for name, kept in (("all", ()), ("kept", ("--keep-float", "features.0"))):
        done = run("export", SOURCE, "--format", "tflite", "--precision", "int8-weights", *kept,
                   "-o", tmp_path / name, "--quiet")  # fmt: skip
        assert done.code == 0, done.err
        path = tmp_path / name / "quantized_networks_keyword_int8_weights.tflite"
        sizes[name] = path.stat().st_size
    assert 3 * 33 * 16 * 2.5 < sizes["kept"] - sizes["all"] < 3 * 33 * 16 * 3.5


def test_a_network_without_layers_is_refused(run: Callable[..., Finished], tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((2, 1, 256), np.float32))
    source = "tests.networks.quantized_networks:transforms_alone"
    done = run("export", source, "--precision", "int8", "--calibration-data", tmp_path)
    assert done.code == 2
    assert "has no convolution or linear layer of float32" in done.error


def test_a_part_may_stay_in_float32(
    samples: Path, run: Callable[..., Finished], tmp_path: Path
) -> None:
    weights = {}
    for name, kept in (("all", ()), ("but one", ("--keep-float", "classifier"))):
        options = ("--precision", "int8", "--calibration-data", samples, *kept)
        done = run("export", SOURCE, *options, "-o", tmp_path / name, "--quiet")
        assert done.code == 0, done.err
        path = tmp_path / name / "quantized_networks_keyword_int8.onnx"
        weights[name] = runtime_for("onnx").operators(path)["QuantizeLinear"]
    assert weights["but one"] < weights["all"]


def test_few_samples_deserve_a_note(
    samples: Path, run: Callable[..., Finished], tmp_path: Path
) -> None:
    options = ("--precision", "int8", "--calibration-data", samples, "--calibration-samples", 3)
    done = run("export", SOURCE, *options, "-o", tmp_path)
    assert done.code == 0
    assert "3 samples of recordings: with fewer than 20" in " ".join((done.out + done.err).split())


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ((), "8 bits need samples of what quantized_networks_keyword takes"),
        (("--calibration-data", "nowhere"), "--calibration-data nowhere does not exist"),
        (("--calibration-data", "{}", "--calibration-samples", 0), "must be at least 1, not 0"),
        (("--calibration-data", "{}", "--io-type", "int8", "--format", "tflite"), "--io-type does"),
        (("--calibration-data", "{}", "--max-accuracy-drop", 1), "is not a classifier"),
    ],
)
def test_what_cannot_be_is_refused(
    options: tuple[object, ...],
    problem: str,
    samples: Path,
    run: Callable[..., Finished],
    tmp_path: Path,
) -> None:
    given = [str(one).format(samples) for one in options]
    done = run("export", SOURCE, "--precision", "int8", *given, "-o", tmp_path / "out")
    assert done.code == 2
    assert problem in done.error
    assert not (tmp_path / "out").exists()
