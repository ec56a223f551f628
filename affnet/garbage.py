"""How often Python looks for objects that nobody needs, and how a process ends without that."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

#: New objects between two searches, where Python's default is 700.  Their memory is some megabytes.
_RARELY = 50_000


@contextmanager
def collected_rarely() -> Iterator[None]:
    """Have Python search for garbage a seventieth as often as by default.

    Converters make millions of objects, nearly all of which live on: by default, the searches take
    a tenth of an export, and find next to nothing.
    """
    before = gc.get_threshold()
    if gc.isenabled() and before[0]:
        gc.set_threshold(max(before[0], _RARELY), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def exit_without_teardown(main: Callable[[], object]) -> NoReturn:
    """Run ``main`` as all that this process does, and end with its exit code.

    What is registered for the end is done and what was printed is written, but modules and objects
    are not taken apart one by one, since the system takes back their memory at once: after an
    export that takes over a second.  A process that shows an error, is watched by a profiler, or
    has another thread at work ends as Python does by default.
    """
    code: str | int | None = None
    try:
        main()
    except SystemExit as ending:
        code = ending.code
    status = 0 if code is None else code
    watched = sys.getprofile() is not None or sys.gettrace() is not None
    others = {*threading.enumerate()} - {threading.current_thread()}
    if isinstance(status, str) or watched or not all(thread.daemon for thread in others):
        sys.exit(code)
    atexit._run_exitfuncs()
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except OSError:  # nobody reads it; Python has an exit code for that
        sys.exit(code)
    os._exit(status)
