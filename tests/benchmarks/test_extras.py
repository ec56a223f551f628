"""The script that installs each extra alone knows all of them."""

from __future__ import annotations

import tomllib
from pathlib import Path

from benchmarks.extras import JOBS, NOT_TRIED, WITHOUT_SERVER


def test_each_extra_has_a_job_or_is_said_not_to_be_tried() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert sorted([*JOBS, *NOT_TRIED]) == sorted(project["optional-dependencies"])
    assert JOBS.keys() >= set(WITHOUT_SERVER)
