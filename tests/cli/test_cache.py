"""``affnet cache``, ``affnet cache clear`` and ``--no-cache``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from affnet.cache import FOLDER_VARIABLE, KINDS
from affnet.export import pipeline
from affnet.export.artifact_cache import OFF_VARIABLE
from tests.cli.conftest import copy_artifact
from tests.conftest import Finished

Run = Callable[..., Finished]


@pytest.fixture
def folder(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(workspace / "cache"))
    monkeypatch.delenv(OFF_VARIABLE)
    return workspace / "cache"


def test_a_bench_fills_it_and_it_is_shown_and_cleared(
    run: Run, folder: Path, digits_pt2: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        pipeline,
        "export_artifact",
        lambda _source, _options, output, _show: Artifact(
            copy_artifact(digits_pt2, Path(output, "digits.pt2")), digits_pt2.manifest
        ),
    )
    bench = ("bench", "digits", "--device", "fake", "--runtime", "torch")
    assert "digits.pt2 is taken from the cache" not in run(*bench).err
    assert "digits.pt2 is taken from the cache" in run(*bench).err
    assert "from the cache" not in run(*bench, "--no-cache").err
    assert "from the cache" in run(*bench).err
    record = run("cache", "--json").json
    (artifacts,) = (kind for kind in record["kinds"] if kind["name"] == "artifacts")
    assert (artifacts["entries"], record["folder"]) == (1, str(folder))
    assert artifacts["bytes"] > 1e6
    done = run("cache")
    assert done.code == 0
    assert "2000 MB at most" in done.out
    assert all(name in done.out for name in KINDS)
    assert run("cache", "clear").code == 0
    assert KINDS["artifacts"].entries() == 0
    assert run("cache", "clear", "all").code == 0
    assert all(kind.entries() == 0 for kind in KINDS.values())
    assert run(*bench).code == 0


def test_a_part_that_does_not_exist_is_refused(run: Run) -> None:
    done = run("cache", "clear", "artefacts")
    assert (done.code, done.error[:38]) == (2, "Unknown part of the cache 'artefacts';")
