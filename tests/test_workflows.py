"""The workflows of this repository: what they run exists, and no text of others meets a shell."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
_TARGET = re.compile(r"^(\w[\w-]*):", re.MULTILINE)


def steps(path: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(path.read_text())["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_it_runs_is_there(path: Path) -> None:
    scripts = [step["run"] for step in steps(path) if "run" in step]
    targets = set(_TARGET.findall((ROOT / "Makefile").read_text()))
    for script in scripts:
        assert set(re.findall(r"\bmake (\w+)", script)) <= targets
        assert all((ROOT / name).exists() for name in re.findall(r"\.ci/\w+", script))
        assert "${{" not in script  # expressions reach a shell by its environment only


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_rights_are_named_and_no_more_than_reading_for_all(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    assert content["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in content["jobs"].values())
    writing = {name for job in content["jobs"].values() for name in job.get("permissions", {})}
    assert writing <= {"contents", "id-token", "attestations", "pages"}


def test_the_release_s_tag_must_be_the_version(tmp_path: Path) -> None:
    (script,) = (
        step["run"]
        for step in steps(ROOT / ".github" / "workflows" / "release.yml")
        if step.get("name") == "The tag is the version of the package"
    )
    package = tmp_path / "affnet"
    package.mkdir()
    (package / "__init__.py").write_text('x = 1\n__version__ = "1.2.3"\n')
    for tag, passes in (("v1.2.3", True), ("v1.2.4", False), ("1.2.3", False)):
        variables = {**os.environ, "GITHUB_REF_NAME": tag}
        done = subprocess.run(["sh", "-ec", script], cwd=tmp_path, env=variables, check=False)
        assert (done.returncode == 0) is passes
