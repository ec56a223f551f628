"""Boards that write without end: one sentence, bounded memory, and nothing left there."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from affnet.artifact import Artifact
from affnet.devices.worker import channel
from affnet.errors import AffnetError
from tests.devices.ssh.sshd import Board, device_of, failing
from tests.devices.ssh.test_failing_workers import WORKER

FLOODS = {
    "one line without end": "exec tr '\\0' x </dev/zero",
    "the same in errors": "exec tr '\\0' x </dev/zero >&2",
    "lines without end": "exec yes",
}


def peak_of(work: Callable[[], object]) -> int:
    """The most bytes of Python's objects that some work held at once."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("flood", FLOODS)
def test_a_runner_that_floods_is_stopped(board: Board, flood: str) -> None:
    board.python(f'case "$1" in *.pyz) {FLOODS[flood]};; *) exec "$REAL" "$@";; esac')
    errors: list[AffnetError] = []
    peak = peak_of(lambda: errors.append(failing(board)))
    assert str(errors[0]) == (
        f"{board.address} sent over 4 MB while {board.address} was asked something; it was stopped."
    )
    assert errors[0].exit_code == 1
    assert peak < 50_000_000
    assert board.left_behind() == []


@pytest.mark.parametrize("flood", FLOODS)
def test_a_worker_that_floods_is_stopped(
    board: Board, digits_onnx: Artifact, flood: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if flood == "the same in errors":  # which are no answer
        monkeypatch.setattr(channel, "ANSWER_TIMEOUT_S", 3.0)
    board.python(WORKER.format(script=FLOODS[flood]))
    errors: list[AffnetError] = []
    peak = peak_of(lambda: errors.append(failing(board, digits_onnx)))
    sentence = {
        "one line without end": "answered with over 16 MB in one line; it was stopped.",
        "the same in errors": "gave no answer for 3 s; it was stopped.",
        "lines without end": "answered with nonsense: 'y'.",
    }[flood]
    assert str(errors[0]) == f"Measuring digits.onnx on onnxruntime on board {sentence}"
    assert errors[0].exit_code == 1
    assert peak < 100_000_000
    assert board.left_behind() == []


def test_an_answer_longer_than_a_window_arrives_whole(board: Board) -> None:
    """What asyncssh reads as one line is no longer than its buffer: outputs of maps are."""
    long = "\"$REAL\" -c \"print(chr(123) + chr(34) + 'a' * 6000000 + chr(34) + ': 1}')\""
    board.python(WORKER.format(script=f"{long}; exec cat"))
    device = device_of(board)
    with device.session("onnxruntime"), device._board.worker("measuring") as opened:
        line = opened.receive(60, 7_000_000)
    assert line == "{" + f'"{"a" * 6_000_000}": 1' + "}\n"
