"""A lock for each device on the machine it hangs on: two runs never measure at once on one.

The system's own lock on a file decides, so that it goes with a process that is killed.  A file
beside it says who has it, for those that wait.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psutil

from affnet.devices.base import Device, Progress
from affnet.errors import UsageError
from affnet.files import translating_os_errors
from affnet.reading import parse_json, read_text

#: Names another folder than the user's own, for several users of one machine.
FOLDER_VARIABLE = "AFFNET_LOCK_DIR"
_POLL_S = 0.2
_SHARED = 0o666  # another user of the folder may lock the file, too


@contextmanager
def measuring(device: Device, runtime: str, progress: Progress = lambda _: None) -> Iterator[None]:
    """Wait until nobody else measures on ``device``, then open a session on it.

    Raises:
        AffnetError: as `Device.session` and `locked_device`.
    """
    with locked_device(device.address(), device.name, progress), device.session(runtime, progress):
        yield


@contextmanager
def locked_device(
    address: str,
    name: str,
    progress: Progress = lambda _: None,
    check: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Keep the hardware at ``address`` from all others of this machine, threads and processes.

    A thread that has it gets it again.  While it waits, ``progress`` is called with who measures,
    and ``check``, several times a second: what either raises ends the waiting.

    Raises:
        UsageError, OutputError: the folder of the locks cannot be written.
    """
    from filelock import FileLock, Timeout

    path = _path(address)
    with translating_os_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, mode=_SHARED, is_singleton=True)  # one for all locks of a path
        while True:
            try:
                lock.acquire(timeout=0)
                break
            except Timeout:
                holder = _holder(path)
            progress(f"Waiting for {name}: {holder}")
            check()
            time.sleep(_POLL_S)
    try:
        with translating_os_errors(path.parent):
            _record(path).unlink(missing_ok=True)  # it may be another user's, who was killed
            _record(path).write_text(json.dumps(_self()) + "\n", encoding="utf-8")
        yield
    finally:
        _record(path).unlink(missing_ok=True)
        lock.release()


def _path(address: str) -> Path:
    """Return the file that is locked; a folder that several machines share has one of each."""
    key = f"{platform.node()} {address}"
    shown = re.sub(r"[^\w.-]+", "-", address)[:60]
    return _folder() / f"{shown}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.lock"


def _folder() -> Path:
    named = os.environ.get(FOLDER_VARIABLE)
    if not named:
        from platformdirs import user_state_path

        return user_state_path("affnet") / "devices"
    folder = Path(named).expanduser().absolute()
    if not folder.is_dir():
        raise UsageError(f"{FOLDER_VARIABLE} names {named}, which is no folder", "make it first.")
    return folder


def _record(path: Path) -> Path:
    return path.with_suffix(".json")


def _self() -> dict[str, object]:
    """Describe this process; its arguments are its own business, as a URL may hold a password."""
    command = sys.argv[1] if len(sys.argv) > 1 and sys.argv[1].isalpha() else "affnet"
    user = psutil.Process().username()  # the number of a container's user without a name
    since = datetime.now().astimezone().isoformat(timespec="seconds")
    return {"pid": os.getpid(), "user": user, "command": command, "since": since}


def _holder(path: Path) -> str:
    """Say who has the lock, as far as is known."""
    try:
        found = parse_json(read_text(_record(path)))
        if not psutil.pid_exists(found["pid"]):  # it was killed, and the next has yet to say so
            raise ValueError
        since = datetime.fromisoformat(found["since"]).strftime("%Y-%m-%d %H:%M")
        who = f"process {int(found['pid'])} of {found['user']}"
        return f"{who} ({found['command']}) has measured on it since {since}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process measures on it"
