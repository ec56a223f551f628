"""Proofs on another processor by ``verify``, ``eval`` and ``export``; QEMU is a script here."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from tests.conftest import Finished
from tests.devices.emulated.stub_root import put_stub_root

Run = Callable[..., Finished]
Refused = Callable[..., str]


@pytest.fixture(autouse=True)
def _system(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache with a system that is ready, on a machine that is not itself Arm."""
    monkeypatch.setenv("AFFNET_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    put_stub_root()


def test_a_file_is_proven_on_each_device_and_the_manifest_keeps_it(
    run: Run, onnx_copy: Path
) -> None:
    words = ("--device", "arm64,arm64:cortex-a53", "--record", "--json", "--quiet")
    record = run("verify", onnx_copy, *words, "--held-out", "--limit", 3).json
    first, second = record["proofs"]
    assert (first["device"], second["device"]) == ("arm64", "arm64:cortex-a53")
    assert first["parity"]["passed"]
    assert first["parity"]["inputs"] == 8
    assert (first["host_rel_error"], first["host_equal"]) == (0.0, 1.0)  # the same kernels
    assert (first["held_out"]["images"], first["held_out"]["agreeing"]) == (3, 3)
    kept = Artifact.open(onnx_copy).manifest.proofs
    assert [proof.device for proof in kept] == ["arm64", "arm64:cortex-a53"]
    assert kept[0].cpu == "cortex-a76, emulated by QEMU"
    assert kept[0].runtime.startswith("onnxruntime ")
    shown = run("verify", onnx_copy, "--device", "arm64")
    assert "on arm64" in shown.out
    assert "100 % of the values equal to the last bit" in " ".join(shown.out.split())


def test_a_file_that_disagrees_there_ends_with_exit_code_1(
    run: Run, onnx_copy: Path, other_digits: Path
) -> None:
    done = run("verify", onnx_copy, "--against", other_digits, "--device", "arm64", "--record")
    assert done.code == 1
    assert done.out.count("DISAGREES with PyTorch") == 2
    assert Artifact.open(onnx_copy).manifest.proofs == ()


def test_what_cannot_be_proven_is_refused(
    refused: Refused, onnx_copy: Path, digits_pt2: Artifact
) -> None:
    assert refused("verify", onnx_copy, "--record") == (
        "--record needs a device to run on; add --device."
    )
    assert refused("verify", onnx_copy, "--device", "arm64:z80").startswith(
        "Unknown CPU model 'z80'; valid: cortex-a53"
    )
    assert refused("verify", digits_pt2.path, "--device", "arm64") == (
        "arm64 does not run torch; choose another runtime: onnxruntime, litert, executorch, "
        "openvino, mnn, ncnn."
    )
    assert refused("verify", onnx_copy, "--device", "fake") == (
        "fake takes no inputs from here, which proving a file on it needs; prove it on arm64, on a "
        "board or on host."
    )
    assert refused("export", "digits", "--prove-on", "arm64", "--no-verify") == (
        "--prove-on contradicts --no-verify; drop one of them."
    )
    assert refused("eval", "digits", "--data", "emoji", "--device", "arm64") == (
        "--device runs a file, and MODEL is a source; export it first, or add --runtime."
    )
    assert refused("bench", onnx_copy, "--device", "arm64").startswith(
        "arm64 is emulated, and its time is no device's"
    )


@pytest.mark.usefixtures("instant_conversion")
def test_an_export_is_proven_before_it_appears(run: Run, workspace: Path) -> None:
    (workspace / "affnet.toml").write_text(
        '[source]\nmodel = "digits"\n[export]\nprove_on = ["arm64"]\n'
    )
    done = run("export", "--json", "--quiet")
    assert done.code == 0, done
    (proof,) = done.json["proofs"]
    assert (proof["device"], proof["held_out"]["images"]) == ("arm64", 25)
    (kept,) = Artifact.open(workspace / "digits.onnx").manifest.proofs
    assert kept.held_out is not None
    assert kept.held_out.agreeing == 25
