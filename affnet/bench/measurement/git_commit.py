"""Which state of a project's code a result belongs to."""

from __future__ import annotations

import os
import subprocess

#: Where systems that run continuous integration report it: GitHub's, GitLab's.
_VARIABLES = ("GITHUB_SHA", "CI_COMMIT_SHA")
_PATIENCE_S = 10


def git_commit() -> str:
    """Return the commit of the project in the current directory, "" where there is none.

    What continuous integration reports comes first: it also checks out without git.
    """
    for name in _VARIABLES:
        if commit := os.environ.get(name, "").strip():
            return commit
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--verify", "--quiet", "HEAD"],  # noqa: S607  # git, wherever it is
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
        )
    except (OSError, subprocess.SubprocessError):  # no git, or one that hangs
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
