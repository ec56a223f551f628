"""``affnet check`` by its command line, on a device that computes its latencies, and on files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from affnet.artifact import Artifact
from affnet.bench.reporting.output import write
from tests.bench.fakes import MS, a_result
from tests.cli.conftest import copy_artifact
from tests.conftest import Finished

Run = Callable[..., Finished]
Refused = Callable[..., str]

STEADY = ((10 * MS, 10 * MS + 1001, 10 * MS + 3),) * 6


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFNET_CACHE_DIR", str(tmp_path / "cache" / "affnet"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "AFFNET_STORE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def budgets(workspace: Path) -> Callable[..., Path]:
    """Writes budgets, each of the lines of a text, of the fake device."""

    def written(*entries: str) -> Path:
        lines = (f'[[budget]]\ndevice = "fake"\n{entry}\n' for entry in entries)
        (workspace / "budgets.toml").write_text("".join(lines))
        return workspace / "budgets.toml"

    return written


@pytest.fixture
def mine(digits_onnx: Artifact, workspace: Path) -> Path:
    return copy_artifact(digits_onnx, workspace / "mine.onnx")


def stored(folder: Path, name: str, **changes: Any) -> Path:
    write([a_result(blocks_ns=STEADY, session="s", **changes)], folder / name)
    return folder / name


@pytest.mark.usefixtures("mine")
def test_all_forms_of_a_check_say_the_same(
    run: Run, budgets: Callable[..., Path], workspace: Path
) -> None:
    budgets(
        'model = "mine.onnx"\nat_most = "1 s"\nname = "quick"',
        'model = "mine.onnx"\nat_most = "1 us"\nname = "impossible"',
    )
    junit, summary, kept = (workspace / name for name in ("j.xml", "s.md", "kept.jsonl"))
    done = run(
        "check", "--json", "--quiet", "--junit", junit, "--summary", summary, "-o", kept,
        "--store", workspace / "results.db",
    )  # fmt: skip
    assert (done.code, done.err) == (1, "")
    assert [v["verdict"] for v in done.json["budgets"]] == ["PASS", "FAIL"]
    assert done.json["verdict"] == "FAIL"
    impossible = done.json["budgets"][1]
    assert impossible["limit"] == 1000
    assert impossible["interval"][0] <= impossible["value"] <= impossible["interval"][1]
    suite = ET.fromstring(junit.read_text())  # noqa: S314  # our own
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert float(suite.get("time", 0)) > 0
    assert suite.findall(".//testcase[@time]") == []  # both were measured together
    assert "| FAIL | impossible |" in summary.read_text()
    assert len(kept.read_text().splitlines()) == impossible["rounds"] == 4
    assert (workspace / "results.db").is_file()
    again = run("check", kept, "--json", "--quiet")
    assert [v["verdict"] for v in again.json["budgets"]] == ["PASS", "FAIL"]


@pytest.mark.usefixtures("mine")
def test_a_baseline_folder_is_measured_beside(
    run: Run, budgets: Callable[..., Path], digits_onnx: Artifact, workspace: Path
) -> None:
    (workspace / "before").mkdir()
    copy_artifact(digits_onnx, workspace / "before" / "mine.onnx")
    budgets('model = "mine.onnx"\nat_most = "+5 %"')
    done = run("check", "--baseline", workspace / "before", "--quiet")
    assert done.code == 0
    assert done.out.splitlines()[-1] == "PASS: 1 PASS."


def test_what_speaks_against_results_is_said(run: Run, budgets: Callable[..., Path]) -> None:
    folder = budgets('model = "one"\nat_most = "5 ms"').parent
    doubt = "other processes kept 1.5 cores busy before the run"
    busy = {"before": {"busy_cores": 1.5}}
    results = stored(folder, "r.json", environment=busy, validity_reasons=(doubt,))
    done = run("check", results)
    assert (done.code, done.out.splitlines()[-2:]) == (
        0,
        [f"Warning: {doubt} (one).", "INCONCLUSIVE: 1 INCONCLUSIVE."],
    )
    assert run("check", results, "--strict").code == 1


def test_calibration_is_remembered(run: Run, budgets: Callable[..., Path], mine: Path) -> None:
    """The device's noise is the same each time, so that nothing is too small for it."""
    budgets('model = "mine.onnx"\nat_most = "+5 %"')
    done = run("check", "--calibrate", "--max-rounds", 3, "--json", "--quiet")
    (found,) = done.json["calibration"]
    assert (found["model"], found["ratio"], found["detectable"]) == ("mine.onnx", 1.0, 0.0)
    (remembered,) = mine.parent.rglob("calibration.json")
    known = json.loads(remembered.read_text())
    remembered.write_text(json.dumps(dict.fromkeys(known, 0.5)))
    refusal = run("check", "--baseline", mine.parent, "--quiet")
    assert refusal.code == 2
    assert "cannot detect changes of mine.onnx below 50.0%" in refusal.error


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('model = "mine.onx"\nat_most = "1 s"', "line 3: Unknown"),
        ('model = "mine.onnx"\nat_most = "1 parsec"', "line 4: at_most must be like '12 ms'"),
        ('model = "mine.onnx"\nat_most = "1 s"\nruntime = "ort"', "line 5: runtime 'ort' is"),
    ],
)  # fmt: skip
def test_a_budget_that_cannot_be_measured_is_named_with_its_line(
    refused: Refused, budgets: Callable[..., Path], entry: str, said: str
) -> None:
    budgets(entry.replace("mine.onx", "no_such_model"))
    assert f"budgets.toml, {said}" in refused("check", "--quiet")


def test_a_device_that_is_not_known_is_named_with_its_line(
    refused: Refused, workspace: Path
) -> None:
    text = '\n[[budget]]\nmodel = "digits"\nat_most = "1 s"\ndevice = "hots"\n'
    (workspace / "budgets.toml").write_text(text)
    assert "budgets.toml, line 3: Unknown device 'hots'" in refused("check", "--quiet")


def test_stored_results_that_cannot_be_judged_are_refused(
    refused: Refused, budgets: Callable[..., Path]
) -> None:
    folder = budgets('model = "one"\nat_most = "+5 %"').parent
    new = stored(folder, "new.json")
    assert "name one with --baseline" in refused("check", new)
    assert "remove the result files" in refused("check", new, "--calibrate")
    other = stored(folder, "other.json", protocol="default")
    assert "the protocol is quick here" in refused("check", new, "--baseline", other)
    elsewhere = stored(folder, "elsewhere.json", device="pixel")
    assert "one is not in the baseline" in refused("check", new, "--baseline", elsewhere)
    content = json.loads(new.read_text())
    content["results"][0]["result_schema"] = 2
    (folder / "newer.json").write_text(json.dumps(content))
    assert "its schema is 2, this version of affnet reads 1; update affnet" in refused(
        "check", folder / "newer.json"
    )
    content["results"][0] |= {"result_schema": 1, "samples_ns": [0] * 18}
    (folder / "zero.json").write_text(json.dumps(content))
    assert "a run of 0 ns: the clock did not advance" in refused("check", folder / "zero.json")


def test_files_that_cannot_be_written_are_told_before_measuring(
    refused: Refused, budgets: Callable[..., Path]
) -> None:
    budgets('model = "digits"\nat_most = "1 s"')
    assert "does not exist; make it first" in refused("check", "--junit", "nowhere/j.xml")
    assert "suffix of --output" in refused("check", "-o", "results.txt")


def test_a_store_that_is_damaged_is_told_before_measuring(
    refused: Refused, budgets: Callable[..., Path]
) -> None:
    folder = budgets('model = "digits"\nat_most = "1 s"').parent
    (folder / "bad.db").write_bytes(b"no database" * 500)
    assert "is damaged, or no store of results" in refused("check", "--store", folder / "bad.db")


def test_github_gets_annotations_and_a_summary(
    run: Run, budgets: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = budgets('model = "one"\nat_most = "5 ms"')
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path.parent / "step.md"))
    done = run("check", stored(path.parent, "r.json"), "--budgets", path)
    assert done.code == 1
    assert f"::error file={path},line=3,title=FAIL%3A median of one <= 5 ms" in done.out
    assert "### Budgets: FAIL" in (path.parent / "step.md").read_text()
