"""Boards that lack something: one sentence, the right exit code, and nothing left there."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from affnet.devices.doctor import diagnose
from affnet.errors import DeviceSpaceError, MeasurementError, MissingError
from tests.devices.ssh.sshd import Board, device_of, entry_of, failing, start_sshd, stop_sshd


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
    assert str(error).startswith(f"{board.address} has Python 3.8.10, but 3.9 or later is needed")


def test_a_runtime_that_is_missing_there(board: Board) -> None:
    board.python('exec "$REAL" -S "$@"')  # without any package
    error = failing(board)
    assert isinstance(error, MissingError)
    assert str(error) == (
        f"{board.address} lacks onnxruntime numpy for python3; let affnet bench --install do it, "
        "or run there: python3 -m venv ~/.cache/affnet/venv && ~/.cache/affnet/venv/bin/pip "
        "install onnxruntime numpy"
    )
    checks = {check.step: check for check in diagnose(entry_of(board))}
    assert not checks["onnxruntime"].passed
    assert checks["onnxruntime"].remedy == (
        "there: python3 -m venv ~/.cache/affnet/venv && ~/.cache/affnet/venv/bin/pip install "
        "onnxruntime numpy"
    )
    assert not checks["a runtime"].passed
    assert checks["a runtime"].needed


@pytest.mark.parametrize(
    ("planted", "problem", "remedy"),
    [
        (
            "sys.maxsize = 2**31 - 1",
            "runs a system of 32 bits, which no runtime has wheels for",
            "install one of 64 bits there, such as Raspberry Pi OS (64-bit).",
        ),
        (
            'import platform; platform.libc_ver = lambda *_: ("musl", "")',
            "runs a system with musl, such as Alpine, which no runtime has wheels for",
            "run there: apk add py3-onnxruntime, or take a system with glibc, such as Debian.",
        ),
    ],
)
def test_a_system_that_has_no_wheels(board: Board, planted: str, problem: str, remedy: str) -> None:
    start = board.remote_home / "start.py"
    start.write_text(
        f"import runpy, sys; sys.argv = sys.argv[1:]; {planted}; "
        'runpy.run_path(sys.argv[0], run_name="__main__")\n'
    )
    board.python(
        f'case "$1" in *.pyz) exec "$REAL" -S "{start}" "$@";; *) exec "$REAL" "$@";; esac'
    )
    error = failing(board, install=True)
    assert isinstance(error, MissingError)
    assert (error.problem, error.remedy) == (f"{board.address} {problem}", remedy)
    checks = {check.step: check for check in diagnose(entry_of(board))}
    assert checks["onnxruntime"].remedy == checks["a runtime"].remedy == remedy


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


def test_a_folder_of_files_is_refused(board: Board, digits_onnx: Artifact, tmp_path: Path) -> None:
    (tmp_path / "model.mlpackage").mkdir()
    error = failing(board, Artifact(tmp_path / "model.mlpackage", digits_onnx.manifest))
    assert str(error).endswith("model.mlpackage is no single file, which a board needs.")
    assert error.exit_code == 2
