"""A board whose ssh server is asyncssh's own: also where no sshd is installed.

Less than a real sshd proves, but the same protocol: commands run in a shell here, files arrive by
SFTP, and a connection that goes down closes the pipes.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from affnet.devices.catalog import Entry, open_device
from affnet.devices.doctor import diagnose
from affnet.errors import UnreachableError
from tests.cli.conftest import copy_artifact

SERVER = """
import asyncio, sys
from pathlib import Path
import asyncssh

folder = Path(sys.argv[1])

async def handle(process):
    shell = await asyncio.create_subprocess_shell(
        process.command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, cwd=folder)
    await process.redirect(stdin=shell.stdin, stdout=shell.stdout, stderr=shell.stderr)
    code = await shell.wait()
    await process.stdout.drain()
    process.exit(code) if code >= 0 else process.exit_with_signal("KILL")

async def main():
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[str(folder / "host_key")],
        authorized_client_keys=str(folder / "authorized"), process_factory=handle,
        encoding=None, sftp_factory=True)
    print(server.get_port(), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Entry]:
    """A server of its own, and keys and known_hosts for it."""
    import asyncssh

    ssh = tmp_path / "home" / ".ssh"
    ssh.mkdir(parents=True)
    host_key, user_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    host_key.write_private_key(str(tmp_path / "host_key"))
    user_key.write_private_key(str(ssh / "id_ed25519"))
    user_key.write_public_key(str(tmp_path / "authorized"))
    (tmp_path / "sessions").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    port = int(process.stdout.readline())
    public = host_key.export_public_key().decode()
    (ssh / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    settings = {
        "host": "127.0.0.1",
        "port": port,
        "user": "ada",
        "folder": str(tmp_path / "sessions"),
        "python": sys.executable,
    }
    try:
        yield Entry("board", "ssh", settings)
        assert list((tmp_path / "sessions").iterdir()) == []
    finally:
        process.kill()
        process.communicate()


def test_a_model_of_any_name_is_measured(
    entry: Entry, digits_onnx: Artifact, tmp_path: Path
) -> None:
    name = 'it\'s "quoted"; $(touch pwned) `x` & y.onnx'
    artifact = Artifact.open(copy_artifact(digits_onnx, tmp_path / name))
    device = open_device(entry)
    with device.session("onnxruntime"), device.start(artifact, "onnxruntime", 1) as process:
        assert len(process.run(5, discard=2)) == 5
        assert process.memory().peak_rss_bytes > 3e7
        (there,) = (tmp_path / "sessions").glob("affnet-*/model0/*")
        assert there.name == name
    assert not (tmp_path / "pwned").exists()
    assert shlex.quote(name) != name  # it would have meant something to a shell


def test_a_doctor_finds_nothing_to_mend(entry: Entry) -> None:
    checks = {check.step: check for check in diagnose(entry)}
    assert checks["reachable"].detail == (
        f"logged in to ada@127.0.0.1:{entry.settings['port']}, host key verified"
    )
    assert all(checks[step].passed for step in ("folder", "Python", "push", "onnxruntime"))


def test_an_unknown_host_key_is_refused(entry: Entry, tmp_path: Path) -> None:
    (tmp_path / "home" / ".ssh" / "known_hosts").unlink()
    with (
        pytest.raises(UnreachableError, match=r"^The host key of ada@.* is not known; compare its"),
        open_device(entry).session("onnxruntime"),
    ):
        pytest.fail("it let us in")
