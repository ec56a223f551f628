"""The workflows of this repository: what they run exists, and no text of others meets a shell."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: The versions of Python that ``affnet doctor`` names as tested.
DECLARED = {
    found[1]
    for line in PROJECT["classifiers"]
    if (found := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line))
}
LOWEST = PROJECT["requires-python"].removeprefix(">=")
_TARGET = re.compile(r"^(\w[\w-]*):", re.MULTILINE)


def steps(path: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(path.read_text())["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


@dataclass(frozen=True)
class Job:
    """A job of a workflow: the versions of Python that it names, and its commands."""

    name: str
    pythons: frozenset[str]
    script: str


def read_jobs() -> Iterator[Job]:
    for path in FILES:
        for name, job in yaml.safe_load(path.read_text())["jobs"].items():
            own = job["steps"]
            named = {step.get("with", {}).get("python-version") for step in own} - {None}
            if "${{ matrix.python }}" in named:
                named = {*named, *job["strategy"]["matrix"]["python"]} - {"${{ matrix.python }}"}
            script = "\n".join(step.get("run", "") for step in own)
            yield Job(f"{path.stem}.{name}", frozenset(named), script)


JOBS = {job.name: job for job in read_jobs()}


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


def test_the_tests_run_on_the_declared_versions_of_python_and_no_others() -> None:
    testing = [job for job in JOBS.values() if re.search(r"make test\b|-m pytest\b", job.script)]
    assert set().union(*(job.pythons for job in testing)) == DECLARED


def test_the_main_job_runs_on_each_version_from_the_lowest_to_the_newest_that_installs() -> None:
    minors = sorted(map(minor, JOBS["ci.main-job"].pythons))
    assert ".ci/main_job" in JOBS["ci.main-job"].script
    assert minors == list(range(minor(LOWEST), minors[-1] + 1))
    assert JOBS["ci.main-job"].pythons >= DECLARED
    assert min(DECLARED, key=minor) == LOWEST


def test_the_lowest_versions_of_every_range_run_on_the_lowest_python() -> None:
    lowest = JOBS["ci.lowest"]
    assert re.search("--resolution lowest-direct .*-r pyproject.toml", lowest.script)
    assert lowest.pythons == {LOWEST}


def test_each_week_the_tests_run_with_the_lowest_versions_of_every_range() -> None:
    weekly = JOBS["newest.lowest"]
    assert weekly.pythons == {LOWEST}
    assert weekly.script.splitlines()[-1] == "make lowest"
    recipe = (ROOT / "Makefile").read_text().partition("\nlowest:\n")[2].partition("\n\n")[0]
    assert re.search(r"--resolution lowest-direct .*'\.\[all,dev\]'", recipe, re.DOTALL)
    assert re.search(r"-m pytest .*-m \"not exhaustive\"", recipe, re.DOTALL)
    assert "constraints" not in recipe


def test_the_newest_versions_are_held_back_by_no_pins_and_are_of_the_newest_python() -> None:
    newest = JOBS["newest.newest"]
    assert not re.search(r"constraint|==|\bmake\b", newest.script)
    assert max(DECLARED, key=minor) in newest.pythons


def test_the_extras_that_are_installed_are_the_project_s() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    scripts = "\n".join(job.script for job in JOBS.values())
    installed = re.findall(r"\.\[([\w,]+)\]", scripts)
    assert "all,dev" in installed
    named = ",".join([*installed, action["inputs"]["extras"]["default"]]).split(",")
    assert set(named) <= PROJECT["optional-dependencies"].keys()
    assert action["inputs"]["python-version"]["default"] in DECLARED


def test_the_page_of_versions_tells_how_each_python_of_the_main_job_was_tried() -> None:
    page = (ROOT / "docs" / "versions.md").read_text()
    assert set(re.findall(r"Python (3\.\d+)", page)) >= JOBS["ci.main-job"].pythons


def minor(python: str) -> int:
    return int(python.partition(".")[2])


def of_release(name: str) -> str:
    """Return a step of the workflow that a tag starts."""
    (script,) = (
        step["run"]
        for step in steps(ROOT / ".github" / "workflows" / "release.yml")
        if step.get("name") == name
    )
    return str(script)


@pytest.mark.parametrize(
    ("tag", "passes"), [("v1.2.3", True), ("v1.2.2", False), ("v1.2", False), ("v1.3.0", False)]
)
def test_a_release_needs_a_dated_section_of_the_changelog(
    tag: str, passes: bool, tmp_path: Path
) -> None:
    script = of_release("The changelog has a section of it, with a day")
    (tmp_path / "CHANGELOG.md").write_text(
        "## Unreleased\n\n## 1.3.0\n\n## 1.2.3 - 2026-11-30\n\nsince 1.2.2 - 2026-11-29\n"
    )
    variables = {**os.environ, "GITHUB_REF_NAME": tag}
    done = subprocess.run(["sh", "-ec", script], cwd=tmp_path, env=variables, check=False)
    assert (done.returncode == 0) is passes


def test_the_release_s_tag_must_be_the_version(tmp_path: Path) -> None:
    script = of_release("The tag is the version of the package")
    package = tmp_path / "affnet"
    package.mkdir()
    (package / "__init__.py").write_text('x = 1\n__version__ = "1.2.3"\n')
    for tag, passes in (("v1.2.3", True), ("v1.2.4", False), ("1.2.3", False)):
        variables = {**os.environ, "GITHUB_REF_NAME": tag}
        done = subprocess.run(["sh", "-ec", script], cwd=tmp_path, env=variables, check=False)
        assert (done.returncode == 0) is passes


def test_the_bill_of_materials_tells_the_version(tmp_path: Path) -> None:
    script = of_release("What it ran with, as CycloneDX").splitlines()
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    variables = {**os.environ, "GITHUB_REF_NAME": "v1.2.3"}
    subprocess.run(["sh", "-ec", script[0]], cwd=tmp_path, env=variables, check=True)
    project = tomllib.loads((tmp_path / "released.toml").read_text())["project"]
    assert project["version"] == "1.2.3"
    assert "dynamic" not in project
    assert "--pyproject released.toml" in script[1]
