"""Calls that Windows lacks are made in these modules only; docs/versions.md says WSL for them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import affnet

ROOT = Path(affnet.__file__).parent
#: Modules that may make them: locks of folders, processes and their groups, what /proc says.
NAMED = {
    "devices/android/adb_client.py",
    "devices/apple/process.py",
    "devices/browser/npm_packages.py",
    "devices/browser/process.py",
    "devices/browser/worker.py",
    "devices/labgrid/place.py",
    "devices/worker/host_probes.py",
    "devices/worker/linux_probes.py",
    "devices/worker/local_process.py",
    "files.py",
    "runtimes/trial.py",
    "silence.py",
}
MODULES = {"fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"}
ATTRIBUTES = {
    "os": "O_DIRECTORY O_NOFOLLOW O_NONBLOCK chown fchmod fchown fork geteuid getgid getloadavg "
    "getpgid getuid killpg mkfifo nice openpty posix_spawn pread pwrite sched_getaffinity "
    "sched_setaffinity setsid statvfs uname wait waitpid",
    "signal": "SIGALRM SIGCONT SIGHUP SIGKILL SIGSTOP SIGUSR1 alarm pthread_sigmask setitimer",
}
KEYWORDS = {"pass_fds", "preexec_fn", "process_group", "start_new_session"}


def calls(source: str) -> Iterator[str]:
    """Yield what a module uses that Windows lacks."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            names = ATTRIBUTES.get(node.module or "", "").split()
            yield from (alias.name for alias in node.names if alias.name in names)
            yield from {node.module or ""} & MODULES
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.attr in ATTRIBUTES.get(node.value.id, "").split():
                yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.keyword) and node.arg in KEYWORDS:
            yield node.arg


def test_no_other_module_makes_a_call_that_windows_lacks() -> None:
    modules = {path.relative_to(ROOT).as_posix(): path for path in ROOT.rglob("*.py")}
    found = {name for name, path in modules.items() if [*calls(path.read_text(encoding="utf-8"))]}
    assert {name for name in found if not name.startswith("templates/")} == NAMED


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import fcntl", ["fcntl"]),
        ("from os import fork", ["fork"]),
        ("import os\nos.killpg(1, 9)", ["os.killpg"]),
        ("subprocess.run([], start_new_session=True)", ["start_new_session"]),
        ("import os\nos.kill(1, 9)", []),
    ],
)
def test_what_counts(source: str, found: list[str]) -> None:
    assert [*calls(source)] == found
