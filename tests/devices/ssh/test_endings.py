"""Runs and logins that are stopped or killed end at once, and leave nothing there."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from tests.cli.conftest import Started, start
from tests.devices.ssh.sshd import Board


def started(board: Board, artifact: Artifact, folder: Path, others: str) -> Started:
    """A command that measures for a minute."""
    catalog = folder / "devices.toml"
    catalog.write_text(
        f'[board]\nkind = "ssh"\nhost = "127.0.0.1"\nport = {board.port}\n'
        f'folder = "{board.temporary}"\n'
    )
    return start(
        "bench", artifact.path, "--device", f"board{others}", "--devices-file", catalog,
        "--preset", "mlperf",
    )  # fmt: skip


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("others", ["", ",fake,host"], ids=["alone", "in a sweep"])
def test_a_run_that_is_stopped_leaves_nothing_there(
    board: Board, digits_onnx: Artifact, tmp_path: Path, stop: signal.Signals, others: str
) -> None:
    bench = started(board, digits_onnx, tmp_path, others)
    bench.wait_for("Measuring in turns" if not others else "board: Measuring in turns")
    assert any(board.temporary.iterdir())
    bench.process.send_signal(stop)
    done = bench.finish()
    assert done.code == 128 + stop
    assert "Traceback" not in done.err
    assert done.out == ""
    assert board.left_behind() == []


@pytest.mark.parametrize("others", ["", ",fake"], ids=["alone", "in a sweep"])
def test_a_login_that_is_stopped_is_not_waited_for(digits_onnx: Artifact, others: str) -> None:
    """The server never speaks; a login is given 10 s by itself, and less here."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        address = f"ada@127.0.0.1:{mute.getsockname()[1]}"
        bench = start("bench", digits_onnx.path, "--device", address + others)
        bench.wait_for(f"Logging in to {address}")
        bench.process.send_signal(signal.SIGINT)
        assert bench.process.wait(8) == 130
        assert "Traceback" not in bench.finish().err


def test_even_a_run_that_is_killed_leaves_nothing_there(
    board: Board, digits_onnx: Artifact, tmp_path: Path
) -> None:
    bench = started(board, digits_onnx, tmp_path, "")
    bench.wait_for("Measuring in turns")
    bench.process.kill()
    bench.finish()
    assert board.left_behind() == []
