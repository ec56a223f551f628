"""``examples/train.py`` as it is run: a few images, a step or two."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from affnet.model.bundled import bundled_folder
from affnet.model.source import load_source
from tests.examples.conftest import EXAMPLES
from training import networks

import train  # isort: skip

SMALL = ("--image-size", "32", "--batch-size", "4", "--small-epochs", "1")


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the script in this process; return its exit code."""

    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["examples/train.py", *map(str, arguments)])
        try:
            train.main()
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    return run


def test_a_training_ends_with_a_checkpoint_that_loads(
    training: Callable[..., int],
    noisy_colours: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "out"
    images = noisy_colours()
    (images / "red" / "broken.png").write_text("no image")
    assert training("--images", images, "--output", output, "--epochs", 2, *SMALL) == 0
    source = load_source(str(output / "weights.safetensors"))
    assert source.labels == ("blue", "red")
    assert source.input.image_size() == (32, 32)
    assert source.model.variant.name == "affnet_et"
    shown = capsys.readouterr().out
    assert "epoch   2/2  loss " in shown
    assert "broken.png is not an image" in shown
    report = json.loads((output / "training.json").read_text())
    assert report["recipe"]["epochs"] == 2
    assert 0 <= report["test_top1"] <= 1


def test_an_interrupted_training_ends_as_if_it_had_not_been(
    training: Callable[..., int],
    noisy_colours: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = noisy_colours()
    options = ("--images", images, "--epochs", 2, *SMALL)
    assert training("--output", tmp_path / "whole", *options) == 0
    saved = train.train.__globals__["save_state"]

    def save_and_stop(*arguments: object) -> None:
        saved(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setitem(train.train.__globals__, "save_state", save_and_stop)
        assert training("--output", tmp_path / "parts", *options) == 130
    assert not (tmp_path / "parts" / "weights.safetensors").exists()
    assert training("--output", tmp_path / "parts", *options) == 0
    whole, parts = (load_file(tmp_path / n / "weights.safetensors") for n in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


@pytest.mark.slow
def test_a_killed_training_goes_on(noisy_colours: Callable[..., Path], tmp_path: Path) -> None:
    output = tmp_path / "out"
    command = [
        sys.executable, str(EXAMPLES / "train.py"), "--images", str(noisy_colours()),
        "--output", str(output), "--epochs", "6", *SMALL,
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not (output / "state.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert torch.load(output / "state.pt", weights_only=True)["epoch"] >= 1
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "goes on after epoch " in done.stdout
    assert (output / "weights.safetensors").exists()


def test_a_checkpoint_gets_a_classifier_for_other_classes(
    training: Callable[..., int], noisy_colours: Callable[..., Path], tmp_path: Path
) -> None:
    given = bundled_folder("digits") / "weights.safetensors"
    options = ("--images", noisy_colours(), "--epochs", 1, "--checkpoint", given, *SMALL)
    assert training("--output", tmp_path / "out", *options, "--small-epochs", 0) == 0
    trained = load_file(tmp_path / "out" / "weights.safetensors")
    assert trained["classifier.fc.weight"].shape[0] == 2
    before = load_file(given)["conv_1.block.conv.weight"]
    assert 0 < (trained["conv_1.block.conv.weight"] - before).abs().max() < 0.05  # it started there


def test_another_token_mixer_is_trained_and_found_again(
    training: Callable[..., int],
    noisy_colours: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output, images = tmp_path / "out", noisy_colours()
    options = ("--output", output, "--images", images, "--epochs", 1, "--batch-size", 4)
    assert training(*options, "--image-size", 32, "--mixer", "twins") == 0
    recipe = json.loads((output / "training.json").read_text())["recipe"]
    assert (recipe["network"], recipe["small_epochs"]) == ("affnet_et+twins", 0)
    source = load_source(str(output / "weights.safetensors"))
    assert source.model.mixer == "twins"
    assert source.notes[0].startswith("weights.safetensors is affnet_et+twins with 2 classes")
    assert training(*options, "--mixer", "twins", "--model", "mobilevit_xxs") == 2
    assert "--mixer is for AFFNet from random weights" in capsys.readouterr().err


def test_mobilevit_is_written_as_transformers_reads_it(tmp_path: Path) -> None:
    import transformers

    model = networks.create("mobilevit_xxs", ("cat", "dog"), "aff", 64)
    networks.write_network(model, ("cat", "dog"), 64, tmp_path)
    config = transformers.MobileViTConfig.from_json_file(str(tmp_path / "config.json"))
    assert config.id2label == {0: "cat", 1: "dog"}
    loaded = transformers.MobileViTForImageClassification(config)
    loaded.load_state_dict(load_file(tmp_path / "weights.safetensors"))


def test_bad_input_is_told_in_a_sentence(
    training: Callable[..., int],
    noisy_colours: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    images, output = noisy_colours(2), tmp_path / "out"

    def told(*arguments: object, code: int = 2) -> str:
        capsys.readouterr()
        assert training("--output", output, *arguments) == code
        return capsys.readouterr().err

    assert "missing does not exist" in told("--images", tmp_path / "missing")
    assert "multiple of 32" in told("--images", images, "--image-size", 40)
    assert "gone.pt does not exist" in told("--images", images, "--checkpoint", "gone.pt")
    (output / "state.pt").write_text("nonsense")
    assert "is not the state of a training" in told("--images", images)
    (output / "state.pt").unlink()
    assert training("--output", output, "--images", images, "--epochs", 1, *SMALL) == 0
    assert "with other settings (epochs" in told("--images", images, "--epochs", 3, *SMALL)
