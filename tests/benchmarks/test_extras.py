"""The script that installs each extra alone knows all of them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from benchmarks.extras import JOBS, NOT_TRIED, WITHOUT_SERVER, variables


def test_each_extra_has_a_job_or_is_said_not_to_be_tried() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert sorted([*JOBS, *NOT_TRIED]) == sorted(project["optional-dependencies"])
    assert JOBS.keys() >= set(WITHOUT_SERVER)


def test_a_program_imports_what_is_installed_for_it_and_not_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    given = variables(tmp_path)
    assert "PYTHONPATH" not in given
    assert {"PATH", "HF_ENDPOINT"} <= given.keys()
    assert Path(given["AFFNET_CACHE_DIR"]).parent == tmp_path
