"""A real PostgreSQL server of a test's own, in a temporary folder, reached by a unix socket."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

_DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))  # not on the PATH there
INITDB = shutil.which(
    "initdb", path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, _DEBIAN)])
)
WITHOUT_POSTGRESQL = "needs a real PostgreSQL: sudo apt-get install postgresql"


class Server:
    """A server that runs until the end, but where it is killed.

    It refuses to run as root: root runs it as the user that its package makes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._data = folder, folder / "data"
        self._user = {"user": "postgres"} if os.geteuid() == 0 else {}
        if self._user:
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        self.url = f"postgresql://tester:secret@/postgres?host={folder}"
        self._run("initdb", "-D", self._data, "-U", "tester", "--auth", "trust", "--no-sync")

    def start(self) -> None:
        """Start it, or start it again."""
        options = f"-k {self._folder} -c listen_addresses='' -c fsync=off"
        log = self._folder / "server.log"
        self._run("pg_ctl", "-D", self._data, "-o", options, "-w", "-l", log, "start")

    def kill(self) -> None:
        """Kill it with all its processes, as a machine's memory manager does."""
        first = psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))
        processes = [first, *first.children(recursive=True)]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes)

    def stop(self) -> None:
        """End it."""
        self._run("pg_ctl", "-D", self._data, "-w", "-m", "immediate", "stop")

    def _run(self, tool: str, *arguments: object) -> None:
        assert INITDB is not None
        command = [str(Path(INITDB).resolve().parent / tool), *map(str, arguments)]
        with (self._folder / "log").open("ab") as log:
            done = subprocess.run(  # type: ignore[call-overload]
                command, cwd=self._folder, stdout=log, stderr=log, **self._user
            )
        assert done.returncode == 0, (self._folder / "log").read_text()


@contextmanager
def server() -> Iterator[Server]:
    """Yield a server with an empty database, which runs."""
    # a socket's path may have 100 characters or so, which pytest's folders come near to
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        one = Server(Path(name))
        one.start()
        try:
            yield one
        finally:
            one.stop()
