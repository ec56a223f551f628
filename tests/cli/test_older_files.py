"""Artifacts, results, stores and budgets that commit 12eeb20 wrote are read as they were then.

``tests/data/of_12eeb20`` was made by that commit from ``net.py``: ``affnet bench`` of
two ONNX files of 96 x 96 pixels with ``-o results.json``, of one of them and of a TFLite file with
``-o results.jsonl`` and with ``--store store.sqlite``; ``affnet export net:build`` of 16
x 16 pixels to each format.  ``budgets.toml`` was written by hand as its documentation said.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Finished

Run = Callable[..., Finished]

OLDER = Path(__file__).parents[1] / "data" / "of_12eeb20"
MEDIAN_MS = {"files/build.onnx": ",0.87,", "files/other.onnx": ",0.86,"}


@pytest.fixture(autouse=True)
def _in_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    copied = tmp_path / "older"
    shutil.copytree(OLDER, copied)
    monkeypatch.chdir(copied)
    monkeypatch.delenv("AFFNET_STORE", raising=False)
    yield
    sys.modules.pop("net", None)


@pytest.mark.parametrize(
    "name",
    [
        "build.onnx",
        pytest.param("build.tflite", marks=pytest.mark.converters),
        pytest.param("build.pte", marks=pytest.mark.converters),
        pytest.param("build.mlpackage", marks=pytest.mark.converters),
    ],
)
def test_artifacts_are_verified_against_the_source_that_their_manifest_names(
    name: str, run: Run
) -> None:
    finished = run("verify", name, "--json")
    assert finished.code == 0, finished.err
    found = json.loads(finished.out)
    assert found["passed"] is True, found


def test_results_of_each_kind_are_compared(run: Run) -> None:
    finished = run("compare", "results.json", "--csv")
    assert finished.code == 0, finished.err
    for model, median in MEDIAN_MS.items():
        assert any(model in row and median in row for row in finished.out.splitlines())
    for arguments in (["results.jsonl"], ["--store", "store.sqlite"]):
        finished = run("compare", *arguments)
        assert finished.code == 0, finished.err
        assert "litert" in finished.out
        assert "onnxruntime" in finished.out


def test_a_store_takes_new_results_beside_the_older_ones(run: Run) -> None:
    finished = run("bench", "build.onnx", "--preset", "quick", "--store", "store.sqlite", "-q")
    assert finished.code == 0, finished.err
    finished = run("compare", "--store", "store.sqlite")
    assert finished.code == 0, finished.err


def test_budgets_are_judged_on_older_results(run: Run) -> None:
    finished = run("check", "results.json", "--budgets", "budgets.toml", "--json")
    assert finished.code == 0, finished.err
    verdicts = [check["verdict"] for check in json.loads(finished.out)["budgets"]]
    assert verdicts == ["PASS", "PASS", "INCONCLUSIVE", "PASS"]
