"""Workers that crash, hang or answer with nonsense: one sentence, and nothing left there."""

from __future__ import annotations

from pathlib import Path

import pytest

from affnet.artifact import Artifact
from affnet.devices.ssh import connection
from affnet.devices.worker import channel
from affnet.errors import MeasurementError
from tests.devices.ssh.sshd import Board, device_of, failing, start_sshd, stop_sshd

# A worker that misbehaves, on a board whose Python is otherwise well: $1 is the runner.
WORKER = 'if [ "$2" = measure ]; then {script}; fi\nexec "$REAL" "$@"'


def test_a_worker_that_crashes(board: Board, digits_onnx: Artifact) -> None:
    board.python(WORKER.format(script="echo first >&2; echo out of luck >&2; kill -6 $$"))
    error = failing(board, digits_onnx)
    assert type(error) is MeasurementError
    assert str(error) == (
        "Measuring digits.onnx on onnxruntime on board ended with signal 6: out of luck"
    )


def test_a_worker_that_ends_without_a_word(board: Board, digits_onnx: Artifact) -> None:
    board.python(WORKER.format(script="exit 7"))
    assert str(failing(board, digits_onnx)).endswith("ended with exit code 7: it said nothing")


def test_a_worker_that_prints_garbage(board: Board, digits_onnx: Artifact) -> None:
    board.python(WORKER.format(script="echo Segmentation hello; exec sleep 600"))
    assert str(failing(board, digits_onnx)) == (
        "Measuring digits.onnx on onnxruntime on board answered with nonsense: "
        "'Segmentation hello'."
    )


def test_samples_that_are_none(board: Board, digits_onnx: Artifact) -> None:
    start_up = '{"load_ns": 1, "first_inference_ns": 2, "runtime_version": "3"}'
    for reply, complaint in [
        (
            '{"samples_ns": [1, -5, 3]}',
            "reported a run of -5 ns: the clock did not advance; measure again, or on "
            "another device.",
        ),
        ('{"samples_ns": "many"}', "answered with nonsense: '\"many\"'."),
        ('{"samples_ns": [1, 2]}', "gave 2 samples for 3 runs."),
    ]:
        board.python(WORKER.format(script=f"echo '{start_up}'; echo '{reply}'; exec cat"))
        assert str(failing(board, digits_onnx)).endswith(complaint)


def test_a_worker_that_hangs_is_ended(
    board: Board, digits_onnx: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "ANSWER_TIMEOUT_S", 0.5)
    hang = '"$REAL" -c "import time; time.sleep(600)" "$@"'
    board.python(WORKER.format(script=f"exec {hang}"))
    assert str(failing(board, digits_onnx)) == (
        "Measuring digits.onnx on onnxruntime on board gave no answer for 0 s; it was stopped."
    )


def test_a_runner_that_hangs_is_not_waited_for(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "COMMAND_TIMEOUT_S", 1.5)
    board.python('case "$1" in *.pyz) exec sleep 5;; *) exec "$REAL" "$@";; esac')
    error = failing(board)
    assert type(error) is MeasurementError
    assert "gave no answer while" in str(error)


def test_a_runner_that_answers_with_nonsense(board: Board) -> None:
    board.python('case "$1" in *.pyz) echo no JSON;; *) exec "$REAL" "$@";; esac')
    assert str(failing(board)) == f"The runner on {board.address} did not report its look: no JSON"


def test_more_models_than_the_server_has_sessions_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digits_onnx: Artifact
) -> None:
    board = start_sshd(tmp_path / "board", max_sessions=3)
    monkeypatch.setenv("HOME", str(board.home))
    try:
        device = device_of(board)
        with (
            pytest.raises(MeasurementError) as info,
            device.session("onnxruntime"),
            device.start(digits_onnx, "onnxruntime", 1),
            device.start(digits_onnx, "onnxruntime", 1),
            device.start(digits_onnx, "onnxruntime", 1),
        ):
            pytest.fail("the third one started")
        assert str(info.value).endswith(
            "; measure fewer models at once, or raise MaxSessions in its sshd_config."
        )
        assert board.left_behind() == []
    finally:
        stop_sshd(board)


def test_a_result_is_never_taken_outside_a_session(board: Board) -> None:
    with pytest.raises(RuntimeError, match="within a session"):
        device_of(board).fingerprint()
