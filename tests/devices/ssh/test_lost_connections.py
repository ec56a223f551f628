"""Connections that are lost: one sentence, and what others have finished is kept."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from affnet.bench.measurement.interleaved import label_jobs
from affnet.bench.measurement.protocol import get_protocol
from affnet.bench.measurement.sweep import sweep
from affnet.devices.fake import FakeDevice
from affnet.errors import ConnectionLostError
from tests.devices.ssh.sshd import Board, device_of


def test_a_connection_that_is_lost_while_pushing(
    board: Board, digits_onnx: Artifact, tmp_path: Path
) -> None:
    large = tmp_path / "large.onnx"
    with large.open("wb") as file:  # not sparse: holes would not be sent
        for _ in range(300):
            file.write(b"x" * 1_000_000)
    pushing = threading.Event()

    def cut() -> None:
        assert pushing.wait(20)
        while not list(board.temporary.glob("affnet-*/model0/large.onnx")):
            time.sleep(0.01)
        board.drop()

    thread = threading.Thread(target=cut)
    thread.start()
    device = device_of(board)
    with (
        pytest.raises(ConnectionLostError) as info,
        device.session("onnxruntime", lambda step: pushing.set() if "Push" in step else None),
        device.start(Artifact(large, digits_onnx.manifest), "onnxruntime", 1),
    ):
        pytest.fail("it started")
    thread.join()
    large.unlink()
    assert str(info.value) == f"{board.address} was lost while large.onnx was being pushed."
    assert info.value.exit_code == 1


@pytest.mark.parametrize("when", ["between runs", "during a run"])
def test_a_connection_that_is_lost_while_measuring(
    board: Board, digits_onnx: Artifact, when: str
) -> None:
    device = device_of(board)
    with (
        pytest.raises(ConnectionLostError) as info,
        device.session("onnxruntime"),
        device.start(digits_onnx, "onnxruntime", 1) as process,
    ):
        assert len(process.run(3)) == 3
        if when == "between runs":
            board.drop()
            process.run(3)
        else:
            threading.Timer(1.0, board.drop).start()
            process.run(10_000_000)
    assert str(info.value) == (
        f"{board.address} was lost while it was measuring digits.onnx on onnxruntime on board."
    )


def test_a_board_that_is_lost_keeps_what_others_have_finished(
    board: Board, digits_onnx: Artifact
) -> None:
    jobs = label_jobs([digits_onnx], "onnxruntime")

    def cut(step: str) -> None:
        if step.startswith("board: Measuring in turns"):
            board.drop()

    devices = [FakeDevice(), device_of(board)]
    fine, lost = sweep(jobs, devices, get_protocol("quick"), threads=1, progress=cut)
    assert len(fine.results) == 1
    assert isinstance(lost.error, ConnectionLostError)
