"""What goes wrong with a board: one sentence each, the right exit code, and nothing left there."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from affnet.bench.measurement.interleaved import label_jobs
from affnet.bench.measurement.protocol import get_protocol
from affnet.bench.measurement.sweep import sweep
from affnet.devices.doctor import diagnose
from affnet.devices.fake import FakeDevice
from affnet.devices.ssh import connection
from affnet.devices.worker import channel
from affnet.errors import (
    ConnectionLostError,
    DeviceSpaceError,
    MeasurementError,
    MissingError,
)
from tests.cli.conftest import Started, start
from tests.devices.ssh.sshd import Board, device_of, entry_of, failing, start_sshd, stop_sshd

# A worker that misbehaves, on a board whose Python is otherwise well: $1 is the runner.
WORKER = 'if [ "$2" = measure ]; then {script}; fi\nexec "$REAL" "$@"'


def test_no_python_there(board: Board) -> None:
    error = failing(board, python="python9")
    assert isinstance(error, MissingError)
    assert str(error) == (
        f"{board.address} has no Python called python9; "
        "run there: sudo apt-get install python3, or set python in the catalog"
    )


def test_a_python_that_is_too_old(board: Board) -> None:
    board.python("echo 3.8.10")
    error = failing(board)
    assert error.exit_code == 3
    assert str(error).startswith(f"{board.address} has Python 3.8.10, but 3.10 or later is needed")


def test_a_runtime_that_is_missing_there(board: Board) -> None:
    board.python('exec "$REAL" -S "$@"')  # without any package
    error = failing(board)
    assert isinstance(error, MissingError)
    assert str(error) == (
        f"{board.address} lacks onnxruntime numpy for python3; add --install, "
        "or run there: python3 -m pip install onnxruntime numpy"
    )
    checks = {check.step: check for check in diagnose(entry_of(board))}
    assert not checks["onnxruntime"].passed
    assert checks["onnxruntime"].remedy == "there: python3 -m pip install onnxruntime numpy"
    assert not checks["a runtime"].passed
    assert checks["a runtime"].needed


def test_an_installation_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = start_sshd(tmp_path / "board", {"PIP_NO_INDEX": "1"})
    monkeypatch.setenv("HOME", str(board.home))
    try:
        board.python('case "$1" in *.pyz) exec "$REAL" -S "$@";; *) exec "$REAL" "$@";; esac')
        error = failing(board, install=True)
        assert isinstance(error, MissingError)
        assert str(error).startswith(f"Installing on {board.address} failed: No matching distrib")
        assert board.left_behind() == []
    finally:
        stop_sshd(board)


def test_a_python_that_cannot_make_environments(board: Board) -> None:
    """Debian's, without the package that has ensurepip."""
    board.python(
        'case "$1" in *.pyz) exec "$REAL" -S "$@";; -m) echo ensurepip is not available; exit 1;; '
        '*) exec "$REAL" "$@";; esac'
    )
    assert str(failing(board, install=True)) == (
        f"python3 on {board.address} cannot make virtual environments; "
        "run there: sudo apt-get install python3-venv"
    )


@pytest.mark.slow
def test_an_installation_into_a_private_venv(board: Board, digits_onnx: Artifact) -> None:
    """From the package index, into the board's home, and used again by the next session."""
    board.python('case "$1" in *.pyz) exec "$REAL" -S "$@";; *) exec "$REAL" "$@";; esac')
    for install in (True, False):
        device = device_of(board, install=install)
        steps: list[str] = []
        with (
            device.session("onnxruntime", steps.append),
            device.start(digits_onnx, "onnxruntime", 1) as process,
        ):
            assert len(process.run(3)) == 3
        assert (f"Installing onnxruntime on {board.address}" in steps) is install
    assert (board.remote_home / ".cache" / "affnet" / "venv" / "bin" / "python").exists()


def test_a_folder_that_cannot_be_written_to(board: Board) -> None:
    error = failing(board, folder="/proc/nowhere")
    assert isinstance(error, MeasurementError)
    assert str(error).startswith(f"No folder can be made in /proc/nowhere on {board.address}: ")
    assert str(error).endswith("; set folder in the catalog to another.")


def test_a_model_that_does_not_fit_is_not_even_begun(
    board: Board, digits_onnx: Artifact, tmp_path: Path
) -> None:
    huge = tmp_path / "huge.onnx"
    with huge.open("wb") as file:
        file.truncate(shutil.disk_usage(board.temporary).free + 10**9)  # sparse
    error = failing(board, Artifact(huge, digits_onnx.manifest))
    assert isinstance(error, DeviceSpaceError)
    assert f" MB free in {board.temporary}, but huge.onnx needs " in str(error)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 kB, where the rights to mount one are there."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system: run as root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_fills_up_while_pushing(board: Board, tiny_disk: Path) -> None:
    error = failing(board, folder=str(tiny_disk))
    assert isinstance(error, DeviceSpaceError)
    assert str(error) == (
        f"{board.address} has no space left in {tiny_disk} for runner.pyz; "
        "free some, or set folder in the catalog to a place with more."
    )
    assert list(tiny_disk.iterdir()) == []


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
    """The server never speaks; a login is given 10 s by itself, and half of them here."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        address = f"ada@127.0.0.1:{mute.getsockname()[1]}"
        bench = start("bench", digits_onnx.path, "--device", address + others)
        bench.wait_for(f"Logging in to {address}")
        bench.process.send_signal(signal.SIGINT)
        assert bench.process.wait(5) == 130
        assert "Traceback" not in bench.finish().err


def test_even_a_run_that_is_killed_leaves_nothing_there(
    board: Board, digits_onnx: Artifact, tmp_path: Path
) -> None:
    bench = started(board, digits_onnx, tmp_path, "")
    bench.wait_for("Measuring in turns")
    bench.process.kill()
    bench.finish()
    assert board.left_behind() == []


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


def test_a_folder_of_files_is_refused(board: Board, digits_onnx: Artifact, tmp_path: Path) -> None:
    (tmp_path / "model.mlpackage").mkdir()
    error = failing(board, Artifact(tmp_path / "model.mlpackage", digits_onnx.manifest))
    assert str(error).endswith("model.mlpackage is no single file, which a board needs.")
    assert error.exit_code == 2
