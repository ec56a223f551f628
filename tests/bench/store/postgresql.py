"""A real PostgreSQL server of a test's own, in a temporary folder, reached by a unix socket."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))  # not on the PATH there
INITDB = shutil.which(
    "initdb", path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, _DEBIAN)])
)
WITHOUT_POSTGRESQL = "needs a real PostgreSQL: sudo apt-get install postgresql"


@contextmanager
def server() -> Iterator[str]:
    """Yield the URL of a database on a server that runs until the end.

    It refuses to run as root: root runs it as the user that its package makes.
    """
    assert INITDB is not None
    user = {"user": "postgres"} if os.geteuid() == 0 else {}
    # a socket's path may have 100 characters or so, which pytest's folders come near to
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        folder = Path(name)
        if user:
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        data, binaries = folder / "data", Path(INITDB).resolve().parent

        def run(tool: str, *arguments: object) -> None:
            command = [str(binaries / tool), *map(str, arguments)]
            with (folder / "log").open("ab") as log:
                done = subprocess.run(command, cwd=folder, stdout=log, stderr=log, **user)  # type: ignore[call-overload]
            assert done.returncode == 0, (folder / "log").read_text()

        run("initdb", "-D", data, "-U", "tester", "--auth", "trust", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        run("pg_ctl", "-D", data, "-o", options, "-w", "-l", data / "server.log", "start")
        try:
            yield f"postgresql://tester:secret@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
