"""Logging in to a board that does not let us: one sentence each, and exit code 3."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from affnet.devices.base import Check
from affnet.devices.catalog import Entry, open_device
from affnet.devices.doctor import diagnose
from affnet.devices.ssh import login
from affnet.errors import MissingError, UnreachableError
from tests.devices.ssh.sshd import Board, entry_of, failing, make_key, start_sshd, stop_sshd


def public_key(path: Path) -> str:
    make_key(path)
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


def test_a_key_that_is_refused(board: Board, tmp_path: Path) -> None:
    (tmp_path / "board" / "authorized_keys").write_text(public_key(tmp_path / "other") + "\n")
    error = failing(board)
    assert isinstance(error, UnreachableError)
    assert error.exit_code == 3
    assert str(error) == (
        f"{board.address} accepts none of your keys, of which one with a passphrase counts only in "
        f"the agent (ssh-add); run: ssh-copy-id -p {board.port} {board.user}@127.0.0.1"
    )
    (check,) = diagnose(entry_of(board))
    assert (check.passed, check.step) == (False, "reachable")
    assert check.remedy == f"ssh-copy-id -p {board.port} {board.user}@127.0.0.1"


def test_a_key_with_a_passphrase_that_the_agent_does_not_hold(board: Board) -> None:
    key = board.home / ".ssh" / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", str(key)], check=True)
    assert "one with a passphrase counts only in the agent (ssh-add)" in str(failing(board))
    named = failing(board, identity_file=str(key))
    assert str(named).startswith(f"The key for {board.address} cannot be used: ")
    assert str(named).endswith(f"; if it has a passphrase, run: ssh-add {key}")


def test_a_host_key_that_has_changed(board: Board, tmp_path: Path) -> None:
    board.known_hosts(f"[127.0.0.1]:{board.port} {public_key(tmp_path / 'other')}")
    error = failing(board)
    assert isinstance(error, UnreachableError)
    assert str(error) == (
        f"The host key of {board.address} is not the one in known_hosts: it was installed anew, or "
        "another machine answers in its place; only if you know why, "
        f"run: ssh-keygen -R '[127.0.0.1]:{board.port}'"
    )


def test_a_changed_key_of_a_host_that_the_configuration_gives_another_name(
    board: Board, tmp_path: Path
) -> None:
    (board.home / ".ssh" / "config").write_text(
        f"Host bench-pi\n  HostName 127.0.0.1\n  Port {board.port}\n  User {board.user}\n"
    )
    board.known_hosts(f"[127.0.0.1]:{board.port} {public_key(tmp_path / 'other')}")
    device = open_device(Entry("pi", "ssh", {"host": "bench-pi"}))
    with pytest.raises(UnreachableError) as info, device.session("onnxruntime"):
        pytest.fail("it let us in")
    assert str(info.value).startswith("The host key of bench-pi is not the one in known_hosts: ")
    assert str(info.value).endswith(f"run: ssh-keygen -R '[127.0.0.1]:{board.port}'")


def test_a_host_key_of_another_kind_than_the_known_one(board: Board, tmp_path: Path) -> None:
    command = ["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(tmp_path / "ecdsa")]
    subprocess.run(command, check=True)
    kind, key = (tmp_path / "ecdsa.pub").read_text().split()[:2]
    board.known_hosts(f"[127.0.0.1]:{board.port} {kind} {key}")
    assert "is not the one in known_hosts" in str(failing(board))


@pytest.mark.parametrize("file", ["empty", "absent", "turned off"])
def test_a_host_key_that_is_not_known(board: Board, file: str) -> None:
    """Also where the configuration says that hosts need not be known."""
    board.known_hosts()
    if file == "absent":
        (board.home / ".ssh" / "known_hosts").unlink()
    if file == "turned off":
        (board.home / ".ssh" / "config").write_text(
            "Host *\n  StrictHostKeyChecking no\n  UserKnownHostsFile none\n"
        )
    error = failing(board)
    assert isinstance(error, UnreachableError)
    assert str(error) == (
        f"The host key of {board.address} is not known; compare its fingerprint once by hand, "
        f"run: ssh -p {board.port} {board.user}@127.0.0.1"
    )


def test_a_known_hosts_file_that_is_damaged(board: Board) -> None:
    board.known_hosts("[127.0.0.1]")
    assert isinstance(failing(board), UnreachableError)


def test_a_board_that_is_switched_off(board: Board) -> None:
    stop_sshd(board)
    error = failing(board)
    assert error.exit_code == 3
    assert str(error) == (
        f"{board.address} cannot be reached: connection refused; switch it on, check its name, "
        f"or run: ssh -p {board.port} {board.user}@127.0.0.1"
    )


def test_a_name_that_nobody_knows(board: Board) -> None:
    error = failing(board, host="board.invalid", port=22)
    assert " cannot be reached: its name is not known; switch it on" in str(error)


def test_a_server_that_never_answers(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "CONNECT_TIMEOUT_S", 0.5)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        error = failing(board, port=mute.getsockname()[1])
    assert isinstance(error, UnreachableError)
    assert "cannot be reached" in str(error)


def test_no_asyncssh(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    error = failing(board)
    assert isinstance(error, MissingError)
    assert str(error).endswith("run: pip install 'affnet[ssh]'")


def reach(entry: Entry) -> Check:
    """Return the first check, and close the connection."""
    with contextlib.closing(diagnose(entry)) as checks:
        return next(checks)


def test_a_board_behind_a_jump_host(board: Board, tmp_path: Path) -> None:
    jump = start_sshd(tmp_path / "jump")
    try:
        own_key = (tmp_path / "board" / "authorized_keys").read_text()
        (tmp_path / "jump" / "authorized_keys").write_text(own_key)
        board.known_hosts(board.host_key(), jump.host_key())
        (board.home / ".ssh" / "config").write_text(
            f"Host bench-pi\n  HostName 127.0.0.1\n  Port {board.port}\n  User {board.user}\n"
            f"  ProxyJump {jump.user}@127.0.0.1:{jump.port}\n"
        )
        entry = Entry("pi", "ssh", {"host": "bench-pi"})
        assert reach(entry).passed
        for known in (board, jump):  # the key of each must be known
            board.known_hosts(known.host_key())
            check = reach(entry)
            assert check.detail == (
                f"The host key of bench-pi, or of {jump.user}@127.0.0.1:{jump.port} on the way to "
                "it, is not a known one"
            )
            assert check.remedy == "compare both fingerprints once by hand, run: ssh bench-pi"
    finally:
        stop_sshd(jump)
    board.known_hosts(board.host_key(), jump.host_key())
    assert "cannot be reached" in reach(entry).detail  # there is no other way
