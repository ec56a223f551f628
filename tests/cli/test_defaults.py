"""Commands that name no model: in an empty folder, beside one checkpoint, beside several."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from affnet.artifact import Artifact
from affnet.devices import catalog
from affnet.devices.fake import FakeDevice
from affnet.export import open_or_export
from affnet.model.bundled import bundled_folder
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


@pytest.fixture
def exported(digits_onnx: Artifact, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Let every model be the exported digits under its own name; return what was asked for."""
    asked = []

    def export(model: str, format_: str, size: Any, *_: Any, **settings: Any) -> Artifact:
        asked.append((model, format_, size, settings.get("settings")))
        return digits_onnx.with_manifest(model=Path(model).stem)

    monkeypatch.setattr(open_or_export, "open_or_export", export)
    return asked


@pytest.mark.usefixtures("workspace")
def test_bench_measures_the_variants_each_beside_its_peer(
    run: Run, exported: list[tuple[Any, ...]]
) -> None:
    done = run("bench", "--device", "fake", "--preset", "check", "--json")
    assert done.code == 0
    assert "Note: No MODELS given: measuring the AFFNet variants, each beside" in done.err
    pairs = [(result["model"], result["peer"]) for result in done.json["results"]]
    assert pairs == [
        ("affnet_et", "mobilevit_xxs"), ("mobilevit_xxs", "mobilevit_xxs"),
        ("affnet_t", "mobilevit_xs"), ("mobilevit_xs", "mobilevit_xs"),
        ("affnet", "mobilevit_s"), ("mobilevit_s", "mobilevit_s"),
    ]  # fmt: skip
    assert {asked[1:3] for asked in exported if asked[0].startswith("affnet")} == {("onnx", None)}
    # at the size of the variants, here that of the file that stands in for all of them
    assert {asked[1:3] for asked in exported if "mobilevit" in asked[0]} == {("onnx", (64, 64))}


def test_bench_measures_the_checkpoint_beside_the_peer_of_its_size(
    run: Run, other_digits: Path, exported: list[tuple[Any, ...]]
) -> None:
    done = run("bench", "--device", "fake", "--preset", "check", "--markdown")
    assert done.code == 0
    assert other_digits.is_file()
    assert (
        "measuring other.safetensors, the only checkpoint in this folder, beside mobilevit_xxs."
        in done.err
    )
    assert "x mobilevit_xxs [95 %]" in done.out
    assert [asked[:3] for asked in exported] == [
        ("other.safetensors", "onnx", (64, 64)),
        ("mobilevit_xxs", "onnx", (64, 64)),
    ]


def test_bench_lists_several_checkpoints(refused: Refused, other_digits: Path) -> None:
    shutil.copy(other_digits, other_digits.with_name("best.pt"))
    assert refused("bench", "--device", "fake").startswith("There are 2 checkpoints")


@pytest.mark.usefixtures("workspace")
def test_a_dry_run_of_a_phone_is_in_its_own_runtime(run: Run) -> None:
    done = run("bench", "--device", "fake", "--dry-run", "--json", "-q")
    assert done.code == 0
    (planned,) = done.json["dry_run"]
    assert planned["steps"][0] == "Export affnet_et to onnx and prove the file on this machine"
    assert planned["steps"][-1] == "Show one table"


@pytest.fixture
def in_no_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let the host compute its latencies, and leave the user's caches alone."""
    monkeypatch.setenv("AFFNET_CACHE_DIR", str(tmp_path / "cache" / "affnet"))
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "AFFNET_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(catalog, "open_devices", lambda *_: [FakeDevice("host")])


@pytest.mark.usefixtures("workspace", "in_no_time")
def test_check_holds_the_smallest_variant_to_its_peer(
    run: Run, exported: list[tuple[Any, ...]]
) -> None:
    done = run("check", "--json")
    assert done.code == 0, done
    assert (
        "Note: No budgets found: affnet_et must be no slower than mobilevit_xxs and agree "
        "with PyTorch." in done.err
    )
    assert [budget["name"] for budget in done.json["budgets"]] == [
        "median of affnet_et <= 1.0 x mobilevit_xxs",
        "parity of affnet_et <= 0.0001",
    ]
    assert [asked[0] for asked in exported] == ["affnet_et", "mobilevit_xxs"]


@pytest.mark.usefixtures("in_no_time")
def test_check_holds_the_checkpoint_to_the_peer_of_its_size(
    run: Run, other_digits: Path, exported: list[tuple[Any, ...]]
) -> None:
    done = run("check")
    assert done.code == 0, done
    assert other_digits.is_file()
    assert "other.safetensors, the only checkpoint in this folder, must be no slower" in done.err
    assert {asked[2] for asked in exported} == {(64, 64)}


@pytest.mark.usefixtures("in_no_time")
def test_check_finds_budgets_toml(
    run: Run, workspace: Path, exported: list[tuple[Any, ...]]
) -> None:
    (workspace / "budgets.toml").write_text('[[budget]]\nmodel = "digits"\nat_most = "1 s"\n')
    done = run("check", "-q")
    assert (done.code, done.err) == (0, "")
    assert "median of digits <= 1 s" in done.out
    assert len(exported) == 1


@pytest.mark.usefixtures("workspace")
def test_stored_results_need_written_budgets(refused: Refused, workspace: Path) -> None:
    (workspace / "results.json").write_text("{}")
    assert refused("check", "results.json").startswith("budgets.toml does not exist;")


@pytest.mark.usefixtures("instant_conversion", "workspace")
def test_what_export_wrote_last_is_verified_evaluated_and_run(run: Run) -> None:
    photograph = bundled_folder("digits").parent / "photographs" / "temple.jpg"
    assert run("export", "digits", "--no-verify", "-o", "build").code == 0
    taken = "Note: No ARTIFACT given: using build/digits.onnx, exported last from this folder."
    verified = run("verify")
    assert (verified.code, taken in verified.err) == (0, True)
    seen = run("run", photograph)
    assert (seen.code, taken in seen.err) == (0, True)
    accurate = run("eval", "--data", "emoji", "--limit", "2")
    assert taken in accurate.err


@pytest.mark.parametrize("command", ["verify", "eval --data emoji", "run a.jpg"])
def test_without_an_export_a_file_must_be_named(refused: Refused, command: str) -> None:
    assert refused(*command.split()) == (
        "No ARTIFACT given, and nothing was exported from this folder; name a file, or make one "
        "with: affnet export"
    )


@pytest.mark.parametrize("words", ["", "digits.onnx"])
def test_run_needs_an_image(refused: Refused, words: str) -> None:
    assert refused("run", *words.split()) == (
        "There is no image to run on: affnet run [ARTIFACT] IMAGE...; arrays: --input NAME=FILE"
    )
