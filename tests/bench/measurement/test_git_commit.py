"""Which commit a result is said to belong to: with CI's word, with git, without either."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from affnet.bench.measurement.git_commit import git_commit


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, outside of continuous integration and of any repository."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    for name in ("GITHUB_SHA", "CI_COMMIT_SHA"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def git(*arguments: str) -> str:
    who = ("-c", "user.name=T", "-c", "user.email=t@example.com")
    done = subprocess.run(["git", *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.usefixtures("folder")
def test_it_is_the_commit_of_the_working_directory() -> None:
    git("init", "--quiet")
    assert git_commit() == ""  # no commit yet
    git("commit", "--quiet", "--allow-empty", "-m", "First")
    assert git_commit() == git("rev-parse", "HEAD")
    assert len(git_commit()) == 40


@pytest.mark.usefixtures("folder")
def test_outside_of_a_repository_there_is_none() -> None:
    assert git_commit() == ""


def test_without_git_there_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "-m", "First")
    monkeypatch.setenv("PATH", str(folder))
    assert git_commit() == ""


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["GITHUB_SHA", "CI_COMMIT_SHA"])
def test_what_continuous_integration_tells_comes_first(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "-m", "First")
    monkeypatch.setenv(name, "abc123")
    assert git_commit() == "abc123"
