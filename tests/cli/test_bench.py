"""``affnet bench`` from end to end on small networks, and requests that it refuses."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from affnet.artifact import Artifact
from affnet.model.network import AFFNet
from tests.bench.results.test_result import FIELDS
from tests.cli.conftest import copy_artifact
from tests.conftest import Finished

Run = Callable[..., Finished]
Refused = Callable[..., str]


@pytest.fixture
def twins(digits_onnx: Artifact, workspace: Path) -> tuple[Path, Path]:
    """One artifact under two names."""
    return (
        copy_artifact(digits_onnx, workspace / "a.onnx"),
        copy_artifact(digits_onnx, workspace / "b.onnx"),
    )


@pytest.mark.usefixtures("whole_presets")
def test_an_artifact_is_measured_beside_its_copy(
    run: Run, twins: tuple[Path, Path], workspace: Path
) -> None:
    one, two = twins
    table = workspace / "table.md"
    done = run(
        "bench", one, "--against", two, "--preset", "quick", "--json", "--quiet", "-o", table
    )
    assert (done.code, done.err) == (0, "")
    first, second = done.json["results"]
    for record in (first, second):
        assert {name: type(record[name]) for name in FIELDS} == FIELDS
        assert (record["device"], record["runtime"], record["threads"]) == (
            "host",
            "onnxruntime",
            1,
        )
        assert (record["parameters"], record["weights"]) == (865_034, "trained")
        assert len(record["samples_ns"]) == sum(record["block_lengths"]) >= 30
        assert sum(record["samples_ns"]) >= 0.5e9
        assert 30e6 < record["peak_rss_bytes"] < 300e6
    assert (first["model"], second["model"]) == (str(one), str(two))
    assert first["median_ns"] == np.median(first["samples_ns"])
    turns = min(len(first["block_lengths"]), len(second["block_lengths"]))
    common = [
        np.median(record["samples_ns"][: sum(record["block_lengths"][:turns])])
        for record in (first, second)
    ]
    assert first["ratio_to_peer"] == pytest.approx(common[0] / common[1])
    low, high = first["ratio_interval"]
    assert low <= first["ratio_to_peer"] <= high
    assert second["ratio_to_peer"] == 1.0
    assert first["peer"] == str(two)

    lines = table.read_text().splitlines()
    assert lines[0].startswith(f"| model | runtime | median ms | p90 ms | p99 ms | x {two} [95 %]")
    assert lines[2].startswith(f"| {one} | onnxruntime | {first['median_ns'] / 1e6:.2f} | ")


def test_csv_on_stdout_and_json_in_a_file_hold_the_same_run(
    run: Run, twins: tuple[Path, Path], workspace: Path
) -> None:
    stored = workspace / "results.json"
    done = run("bench", *twins, "--preset", "quick", "--csv", "-o", stored)
    assert done.code == 0
    rows = list(csv.DictReader(io.StringIO(done.out)))
    content = json.loads(stored.read_text())
    assert content["schema"] == 1
    assert [row["model"] for row in rows] == [r["model"] for r in content["results"]]
    for row, record in zip(rows, content["results"], strict=True):
        assert float(row["median ms"]) == pytest.approx(record["median_ns"] / 1e6, abs=0.006)
        assert record["ratio_to_peer"] is None
    assert "Measuring in turns" in done.err


@pytest.mark.slow
def test_pytorch_is_measured_on_its_own_program(run: Run, tiny_pt2: Artifact) -> None:
    done = run("bench", tiny_pt2.path, "--runtime", "torch", "--preset", "quick", "--markdown")
    assert done.code == 0
    header, _, row = (line.strip("| ").split(" | ") for line in done.out.splitlines()[:3])
    cells = dict(zip(header, row, strict=True))
    assert (cells["model"], cells["runtime"]) == ("tiny", "torch")
    assert float(cells["memory MB"]) > 150
    assert "- Measured on host (" in done.out


@pytest.mark.slow
def test_networks_are_exported_first_and_their_random_weights_told(
    run: Run, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AFFNet, "_STAGE_BLOCKS", (1, 1, 1))  # it is the words that count here
    done = run(
        "bench", "affnet_et", "--against", "mobilevit_xxs", "--preset", "quick",
        "--image-size", "64", "--runtime", "onnxruntime",
    )  # fmt: skip
    assert done.code == 0, done.err
    header, affnet_et, mobilevit = done.out.splitlines()[:3]
    assert "x mobilevit_xxs [95 %]" in header
    assert "top-1 % (quoted)" in header
    assert (affnet_et.split()[0], affnet_et.split()[-1]) == ("affnet_et", "73.0")
    assert (mobilevit.split()[0], mobilevit.split()[-1]) == ("mobilevit_xxs", "69.0")
    assert "Random weights: affnet_et, mobilevit_xxs; latency does not depend on them" in done.out
    assert "; of mobilevit_xxs from arXiv 2110.02178" in done.out
    assert list(workspace.iterdir()) == []


def test_a_program_of_another_runtime_is_refused(refused: Refused, tiny_pt2: Artifact) -> None:
    assert refused("bench", tiny_pt2.path, "--runtime", "onnxruntime") == (
        "onnxruntime does not run files of the format torch; choose the runtime torch."
    )


def test_files_of_two_formats_are_refused_before_anything_is_exported(
    refused: Refused, onnx_copy: Path, tiny_pt2: Artifact
) -> None:
    for dry in ([], ["--dry-run"]):
        assert refused("bench", onnx_copy, "--against", tiny_pt2.path, *dry) == (
            f"One runtime measures all models side by side, and {onnx_copy} of onnx and "
            f"{tiny_pt2.path} of torch need one each; export them to the same format, or "
            "measure each by itself."
        )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--json", "--csv"), "--json and --csv exclude each other; use --output for a file."),
        (
            ("--json", "--csv", "--markdown"),
            "--json and --markdown and --csv exclude each other; use --output for a file.",
        ),
    ],
)
def test_two_output_forms_at_once_are_refused(
    refused: Refused, options: tuple[str, ...], sentence: str
) -> None:
    assert refused("bench", "digits", *options) == sentence


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("digits", "--threads", "0"), ".*--threads"),
        (("digits", "--threads", "two"), ".*--threads"),
        (("digits", "--faster"), "no such option:? '?--faster"),  # by typer, or by click
    ],
)
def test_wrong_use_is_one_sentence_below_the_usage(
    refused: Refused, arguments: tuple[str, ...], sentence: str
) -> None:
    assert re.match(sentence, refused("bench", *arguments), re.IGNORECASE)
