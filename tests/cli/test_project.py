"""Commands beside a project file: what they take from it, what wins, and mistakes in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from affnet.artifact import Artifact
from affnet.errors import UsageError
from affnet.export import all_formats, open_or_export
from affnet.export.all_formats import ExportOutcome
from affnet.export.converters.onnx.converter import OnnxConverter
from affnet.export.converters.torch import TorchConverter
from affnet.export.request import ExportRequest
from affnet.model.bundled import bundled_folder
from affnet.project.project_file import find_project
from affnet.project.schema import schema_file
from tests.cli.conftest import deliver
from tests.conftest import Finished

Run = Callable[..., Finished]
Refused = Callable[..., str]

SOURCE = '[source]\nmodel = "other.safetensors"\n'


def write(folder: Path, text: str) -> None:
    (folder / "affnet.toml").write_text(text)


@pytest.mark.usefixtures("instant_conversion")
def test_export_takes_the_projects_model_and_folder(run: Run, other_digits: Path) -> None:
    shutil.copy(other_digits, other_digits.with_name("another.pt"))
    (other_digits.parent / "names.txt").write_text("\n".join("abcdefghij"))
    write(
        other_digits.parent,
        SOURCE + 'labels = "names.txt"\n[export]\noutput = "build"\nformats = ["onnx"]\n',
    )
    done = run("export", "--no-verify", "--json")
    assert done.code == 0
    assert "Note: No SOURCE given: using other.safetensors, the model of affnet.toml." in done.err
    assert done.json["artifact"] == "build/other.onnx"
    manifest = (other_digits.parent / "build" / "other.onnx.manifest.json").read_text()
    assert '"j"' in manifest


@pytest.mark.usefixtures("instant_conversion")
def test_the_command_line_wins(run: Run, other_digits: Path) -> None:
    write(other_digits.parent, SOURCE + '[export]\noutput = "build"\nformats = ["tflite"]\n')
    done = run("export", "--format", "onnx", "--no-verify", "--output", "here", "--quiet")
    assert (done.code, done.err) == (0, "")
    assert (other_digits.parent / "here" / "other.onnx").is_file()


def test_several_formats_and_precisions_are_exported_side_by_side(
    run: Run, other_digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ExportRequest] = []

    def export_all(requests: Sequence[ExportRequest], _: Any) -> list[ExportOutcome]:
        asked.extend(requests)
        return [
            ExportOutcome(one, 1.0, {"format": one.format, "artifact": one.format})
            for one in requests
        ]

    monkeypatch.setattr(all_formats, "export_all", export_all)
    write(
        other_digits.parent,
        SOURCE + 'image_size = 96\n[export]\nformats = ["onnx", "torch"]\n'
        'precisions = ["fp32", "int8"]\ncalibration_data = "bundled"\n',
    )
    done = run("export", "--json", "--quiet")
    assert (done.code, len(done.json["results"])) == (0, 3)
    assert {(one.source, one.image_size) for one in asked} == {("other.safetensors", (96, 96))}
    assert [(one.format, one.precision, one.calibration_data) for one in asked] == [
        ("onnx", "fp32", None),
        ("torch", "fp32", None),
        ("onnx", "int8", "bundled"),
    ]


def test_a_precision_that_no_format_has_is_refused(refused: Refused, other_digits: Path) -> None:
    write(other_digits.parent, SOURCE + '[export]\nformats = ["onnx"]\n')
    sentence = refused("export", "--precision", "fp32,palette4", "-q")
    assert sentence == "Unknown precision for onnx 'palette4'; valid: fp32, fp16, int8."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[source]\nmodle = "x"\n', "affnet.toml, line 2: source.modle is unknown; did you mean"),
        ("[export]\noutput = 3\n", "affnet.toml, line 2: export.output must be a text in quotes"),
        ('[source]\nmodel = "no.pt"\n', "affnet.toml, line 2: source.model 'no.pt' does not exist"),
        (
            '[source]\nmodel = "affnet_ett"\n',
            "affnet.toml, line 2: source.model is wrong: Unknown source 'affnet_ett'; valid:",
        ),
        (
            SOURCE + 'labels = "labels.txt"\n',
            "affnet.toml, line 3: source.labels is wrong: labels.txt has 2 lines for the 10 cl",
        ),
        (
            SOURCE + 'config = "another.yaml"\n',
            "affnet.toml, line 3: source.config is wrong: another.yaml",
        ),
        (SOURCE + "image_size = 50\n", "affnet.toml, line 3: source.image_size is wrong: other"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_line_and_key(
    refused: Refused, other_digits: Path, text: str, sentence: str
) -> None:
    folder = other_digits.parent
    (folder / "labels.txt").write_text("a\nb\n")
    (folder / "another.yaml").write_text("model.classification.affnet.mode: small\n")
    write(folder, text)
    assert refused("export", "--format", "onnx", "-q").startswith(sentence)


def test_help_does_not_read_the_file(run: Run, workspace: Path) -> None:
    write(workspace, "no = = TOML")
    assert run("export", "--help").code == 0


def test_bench_takes_model_peers_devices_and_runtimes(
    run: Run,
    other_digits: Path,
    digits_onnx: Artifact,
    digits_pt2: Artifact,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deliver(digits_onnx, OnnxConverter, monkeypatch)
    deliver(digits_pt2, TorchConverter, monkeypatch)
    shutil.copy(bundled_folder("digits") / "weights.safetensors", other_digits)  # what they hold
    (other_digits.parent / "names.txt").write_text("\n".join("abcdefghij"))
    write(
        other_digits.parent,
        SOURCE + 'labels = "names.txt"\n[bench]\npeers = ["digits"]\ndevices = ["fake"]\n'
        'runtimes = ["onnxruntime", "torch"]\nstore = "results.db"\n',
    )
    done = run("bench", "--preset", "check", "--json")
    assert done.code == 0, done.err
    assert "measuring other.safetensors, the model of affnet.toml, beside digits." in done.err
    rows = [(r["model"], r["runtime"], r["peer"]) for r in done.json["results"]]
    assert rows == [
        ("other", "onnxruntime", "digits"),
        ("digits", "onnxruntime", "digits"),
        ("other", "torch", "digits"),
        ("digits", "torch", "digits"),
    ]
    assert (other_digits.parent / "results.db").is_file()


def test_bench_names_the_line_of_a_model_that_cannot_be_loaded(
    refused: Refused, workspace: Path
) -> None:
    write(workspace, '[source]\nmodel = "affnet_ett"\n')
    sentence = refused("bench", "--device", "fake", "-q")
    assert sentence.startswith("affnet.toml, line 2: source.model is wrong: Unknown source")


@pytest.mark.parametrize(
    ("name", "table"), [("pyproject.toml", "tool.affnet."), ("affnet.toml", "")]
)
def test_check_takes_budgets_of_the_project_and_its_model(
    run: Run,
    refused: Refused,
    other_digits: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    table: str,
) -> None:
    monkeypatch.setenv("AFFNET_CACHE_DIR", str(other_digits.parent / "cache" / "affnet"))
    asked = []

    def export(model: str, *arguments: Any, settings: Any, **_: Any) -> Artifact:
        asked.append((model, arguments[1], settings))
        raise UsageError("enough")

    monkeypatch.setattr(open_or_export, "open_or_export", export)
    (other_digits.parent / name).write_text(
        f'[{table}source]\nmodel = "other.safetensors"\nimage_size = 96\nema = true\n'
        f'[[{table}budget]]\nmodel = "other.safetensors"\nat_most = "1 s"\n'
    )
    done = run("check")
    assert (done.code, done.error) == (2, "enough")
    assert f"Note: No --budgets given: using those of {name}." in done.err
    assert asked == [("other.safetensors", (96, 96), {"ema": True})]
    (other_digits.parent / name).write_text(
        f'[[{table}budget]]\nmodel = "x"\n\n[[{table}budget]]\nat_moist = 1\n'
    )
    assert refused("check", "-q") == f"{name}, line 1: at_most is missing."


def test_init_names_what_it_finds_and_the_file_can_be_read(run: Run, other_digits: Path) -> None:
    folder = other_digits.parent
    (folder / "labels.txt").write_text("\n".join("abcdefghij"))
    (folder / "budgets.toml").write_text('[[budget]]\nmodel = "x"\nat_most = "1 s"\n')
    done = run("init")
    assert (done.code, done.err) == (0, "")
    found = dict(line.split("  ", 1) for line in done.out.splitlines())
    assert {name: value.strip() for name, value in found.items()} == {
        "model": "other.safetensors",
        "config": "config.yaml",
        "image size": "64x64",
        "labels": "labels.txt",
        "budgets": "budgets.toml",
        "written": "affnet.toml, affnet.schema.json",
    }
    assert (folder / "affnet.toml").read_text().startswith("#:schema ./affnet.schema.json\n")
    project = find_project()
    assert project is not None
    source = project.settings.source
    assert source is not None
    assert (source.model, source.config, source.image_size, source.labels) == (
        "other.safetensors", "config.yaml", "64x64", "labels.txt",
    )  # fmt: skip
    assert project.budgets_file() == (Path("budgets.toml"), None)
    assert (folder / "affnet.schema.json").read_text() == schema_file().read_text()


def test_init_in_an_empty_folder_leaves_the_model_open(run: Run, workspace: Path) -> None:
    done = run("init")
    assert done.code == 0
    assert "none found: commands take the bundled emoji" in done.out
    project = find_project()
    assert project is not None
    assert project.model() is None
    assert "# [source]" in (workspace / "affnet.toml").read_text()


def test_init_takes_a_named_source(run: Run, workspace: Path) -> None:
    assert run("init", "--source", "my.nets:build").code == 0
    assert 'model = "my.nets:build"' in (workspace / "affnet.toml").read_text()


def test_init_replaces_a_file_only_by_force(run: Run, refused: Refused, workspace: Path) -> None:
    write(workspace, "mine = ")
    assert refused("init") == "affnet.toml exists; edit it, or replace it with --force."
    assert run("init", "--force").code == 0
    (workspace / "affnet.toml").unlink()
    (workspace / "pyproject.toml").write_text("[tool.affnet]\n")
    assert refused("init").startswith("pyproject.toml holds [tool.affnet] already, which")


def test_init_refuses_what_is_not_there_or_not_one(refused: Refused, other_digits: Path) -> None:
    assert "no.pt does not exist" in refused("init", "--source", "no.pt")
    shutil.copy(other_digits, other_digits.with_name("best.pt"))
    assert refused("init").startswith("There are 2 checkpoints in this folder, best.pt, other.saf")
    (other_digits.parent / "config.yaml").write_text("]")
    assert "is not valid YAML" in refused("init", "--source", "best.pt")


def test_init_names_paths_from_its_folder(
    run: Run, other_digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = other_digits.parent / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    assert run("init", "--source", "../other.safetensors").code == 0
    assert 'config = "../config.yaml"' in (below / "affnet.toml").read_text()
