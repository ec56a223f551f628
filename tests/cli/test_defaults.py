"""Commands that name no model: in an empty folder, beside one checkpoint, beside several."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Finished

Run = Callable[..., Finished]
Refused = Callable[..., str]


@pytest.mark.usefixtures("instant_conversion")
def test_export_takes_the_bundled_network_in_an_empty_folder(run: Run, workspace: Path) -> None:
    done = run("export", "--format", "onnx", "--no-verify")
    assert done.code == 0
    assert "Note: No SOURCE given: using emoji, the bundled trained network" in done.err
    assert (workspace / "emoji.onnx").is_file()


@pytest.mark.usefixtures("instant_conversion")
def test_export_takes_the_only_checkpoint_in_the_folder(run: Run, other_digits: Path) -> None:
    done = run("export", "--format", "onnx", "--no-verify")
    assert done.code == 0
    assert "using other.safetensors, the only checkpoint in this folder." in done.err
    assert other_digits.with_suffix(".onnx").is_file()


def test_export_lists_several_checkpoints(refused: Refused, other_digits: Path) -> None:
    shutil.copy(other_digits, other_digits.with_name("best.safetensors"))
    sentence = refused("export", "--format", "coreml")
    assert sentence.startswith(
        "There are 2 checkpoints in this folder, best.safetensors, other.safetensors; name one"
    )


def test_options_of_a_checkpoint_do_not_fit_the_bundled_network(
    refused: Refused, workspace: Path
) -> None:
    (workspace / "config.yaml").write_text("model: {}")
    assert refused("export", "--ema") == "--ema does not apply to 'emoji'."
