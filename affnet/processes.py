"""Running modules of this package in processes of their own."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def module_command(module: str) -> list[str]:
    """Return the command that runs ``module`` with this interpreter."""
    # -P keeps a file called like one of our packages in the working directory from being imported
    return [sys.executable, "-P", "-m", module]


def module_environment() -> dict[str, str]:
    """Return the environment in which that command finds this very package, installed or not."""
    package_root = str(Path(__file__).parents[1])
    paths = [package_root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
