"""Runs the steps of a workflow in a clone of a scratch repository, as a CI system would.

Only ``run`` steps are run; those that use an action are what the runner does itself: it clones, and
has Python and affnet on its path.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def git(folder: Path, *arguments: str) -> None:
    """Run git as somebody whose configuration is nobody's."""
    who = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, files: dict[str, str], branch: str) -> None:
    """Write files and commit them on a branch, which is made from where the repository is."""
    if not (folder / ".git").exists():
        git(folder, "init", "--initial-branch", branch)
    else:
        git(folder, "checkout", "-B", branch, "main")
    for name, text in files.items():
        (folder / name).write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "--message", "Change the network")


def run_job(
    job: dict[str, Any], origin: Path, branch: str, folder: Path, variables: dict[str, str]
) -> tuple[int, str]:
    """Run a job's steps on a branch in a clean clone; return the exit code and what was printed."""
    workspace = folder / "workspace"
    git(folder, "clone", "--branch", branch, str(origin), str(workspace))
    summary = folder / "summary.md"
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_ACTIONS": "true",
        "GITHUB_BASE_REF": "main",
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_WORKSPACE": str(workspace),
        **variables,
    }
    printed = ""
    for step in job["steps"]:
        if "run" not in step or step.get("name") == "Install":
            continue
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=workspace,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        printed += done.stdout
        if done.returncode:
            break
    return done.returncode, printed + (summary.read_text() if summary.exists() else "")
