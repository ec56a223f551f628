"""Requests that cannot be met: one sentence, the exit code, and nothing half-written."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch

from affnet.artifact import Artifact
from affnet.devices.catalog import _SHIPPED, load_catalog
from affnet.errors import UnknownNameError
from affnet.export.converters import CONVERTERS
from affnet.export.converters.onnx.converter import OnnxConverter
from affnet.export.fourier.planner import FFT_CHOICES
from affnet.model.create import NETWORKS
from affnet.model.source import source_names
from affnet.runtimes import RUNTIMES
from tests.conftest import Finished

Run = Callable[..., Finished]
Refused = Callable[..., str]

SOURCES = (*source_names(), "a path, or module:function")
DEVICE_NAMES = (*load_catalog(_SHIPPED), "user@host", "the serial of a phone")


@pytest.mark.parametrize(
    ("arguments", "what", "valid"),
    [
        ("export afnet", "source 'afnet'", SOURCES),
        ("bench afnet", "source 'afnet'", SOURCES),
        ("export digits -o new --format onxn", "format 'onxn'", CONVERTERS),
        (
            "export digits -o new --precision int4",
            "precision for onnx 'int4'",
            OnnxConverter.precisions,
        ),
        ("export digits -o new --fft fast", "FFT plan 'fast'", FFT_CHOICES),
        ("bench digits --runtime tensorrt", "runtime 'tensorrt'", RUNTIMES),
        ("bench digits --device toaster", "device 'toaster'", DEVICE_NAMES),
    ],
)
def test_an_unknown_name_is_answered_with_the_valid_ones(
    refused: Refused, arguments: str, what: str, valid: Iterable[str]
) -> None:
    assert refused(*arguments.split()) == f"Unknown {what}; valid: {', '.join(valid)}."


def test_an_unknown_variant_is_answered_with_the_valid_ones(
    refused: Refused, other_digits: Path
) -> None:
    sentence = refused("export", other_digits, "--variant", "big")
    assert sentence == f"Unknown variant 'big'; valid: {', '.join(NETWORKS)}."


def test_a_variant_that_contradicts_the_source_is_refused(
    refused: Refused, other_digits: Path
) -> None:
    assert refused("export", "affnet_et", "--variant", "affnet_t") == (
        "--variant affnet_t contradicts the source 'affnet_et'."
    )
    assert refused("export", other_digits, "--variant", "affnet_t") == (
        f"{other_digits} is a checkpoint of affnet_et, not of affnet_t."
    )
    assert refused("export", "digits", "--ema", "--variant", "affnet_t") == (
        "--ema, --variant does not apply to 'digits'."
    )


@pytest.mark.parametrize("size", ["0x0", "16x16", "100x100", "64x65", "33", "0"])
def test_a_size_the_network_cannot_take_is_answered_with_the_smallest_and_the_multiple(
    refused: Refused, size: str
) -> None:
    height, _, width = size.partition("x")
    assert refused("export", "digits", "--image-size", size, "-o", "new") == (
        f"digits cannot take {height}x{width or height} images: "
        "each side must be a multiple of 32, the smallest is 32x32."
    )


@pytest.mark.parametrize("size", ["abc", "-3", "256x", "x256", "1x2x3", "", "64.0", "64 x 64"])
@pytest.mark.parametrize("command", ["export", "bench"])
def test_a_malformed_size_is_refused(refused: Refused, command: str, size: str) -> None:
    assert refused(command, "digits", "--image-size", size) == (
        f"--image-size {size!r} is not HxW, such as 256x256 or 192x320."
    )


def test_a_file_that_is_not_there_is_named(refused: Refused) -> None:
    assert refused("export", "my/weights.pt") == (
        "my/weights.pt does not exist; give the path of a checkpoint."
    )
    for command in ("verify", "inspect", "bench"):
        assert refused(command, "gone.onnx") == (
            "gone.onnx does not exist; make it with: affnet export SOURCE"
        )


def test_a_truncated_checkpoint_is_told_from_a_foreign_one(
    refused: Refused, workspace: Path
) -> None:
    whole = workspace / "whole.pt"
    torch.save({"fc.weight": torch.zeros(1000, 100)}, whole)
    cut = workspace / "cut.pt"
    cut.write_bytes(whole.read_bytes()[:100_000])
    text = workspace / "text.pt"
    text.write_text("not a checkpoint")
    assert refused("export", cut) == (
        f"{cut} is truncated: the end of the archive is missing; fetch it again."
    )
    assert refused("export", whole) == (
        f"{whole} is a checkpoint of another network, not AFFNet: its entries are fc.weight."
    )
    assert refused("export", text) == (
        f"{text} is not a checkpoint that torch can read, or it is damaged."
    )


def test_a_truncated_safetensors_file_is_refused(refused: Refused, other_digits: Path) -> None:
    other_digits.write_bytes(other_digits.read_bytes()[:-1000])
    sentence = refused("export", other_digits)
    assert sentence.startswith(f"{other_digits} is damaged or no safetensors file (")
    assert sentence.endswith("); fetch it again.")


@pytest.mark.parametrize(
    ("package", "target", "arguments"),
    [
        ("transformers", "affnet[peers]", ("export", "mobilevit_xxs", "-o", "new")),
        ("transformers", "affnet[peers]", ("bench", "digits.onnx", "--against", "mobilevit_s")),
        ("MNN", "affnet[mnn]", ("export", "digits", "--format", "mnn", "-o", "new")),
        ("onnxsim", "affnet", ("export", "digits", "-o", "new")),
        ("onnxscript", "affnet", ("export", "digits", "-o", "new")),
        ("onnx", "affnet", ("inspect", "digits.onnx")),
        ("onnxruntime", "affnet", ("verify", "digits.onnx")),
        ("onnxruntime", "affnet", ("bench", "digits.onnx")),
    ],
)
def test_a_missing_package_is_answered_with_the_exact_pip_command(
    refused: Refused,
    digits_onnx: Artifact,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    target: str,
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    given = [digits_onnx.path if word == "digits.onnx" else word for word in arguments]
    sentence = refused(*given, code=3)
    assert re.search(f" needs the package '{package}', which is not installed; run: ", sentence)
    assert sentence.endswith(f"pip install '{target}'")


@pytest.mark.usefixtures("instant_conversion")
def test_an_export_that_cannot_be_verified_for_want_of_the_runtime_writes_nothing(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert refused("export", "digits", "-o", "new", code=3) == (
        "Running ONNX files needs the package 'onnxruntime', which is not installed; "
        "run: pip install 'affnet'"
    )


@pytest.mark.usefixtures("workspace")
def test_debug_shows_the_traceback(run: Run) -> None:
    with pytest.raises(UnknownNameError, match="Unknown source 'afnet'"):
        run("--debug", "export", "afnet")
