"""The file that is sent to a board: complete, small, and without what a board does not have."""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from affnet.devices.ssh.device import SshDevice
from affnet.devices.worker.board_main import NEEDED
from affnet.devices.worker.bundle import runner_file
from affnet.devices.worker.channel import describe_job
from affnet.devices.worker.older_python import StrictZip

# Runs a file with packages that a board lacks made impossible to import.
WITHOUT = (
    "import runpy, sys\n"
    "for name in {names!r}: sys.modules[name] = None\n"
    "del sys.argv[0]\n"
    "runpy.run_path(sys.argv[0], run_name='__main__')\n"
)
# That of Python 3.9 takes no further argument.
PLAIN_ZIP = (
    "import builtins\n"
    "class Plain(zip):\n"
    "    def __new__(cls, *given): return super().__new__(cls, *given)\n"
    "builtins.zip = Plain\n"
)
HOST_ONLY = ("torch", "pydantic", "psutil", "onnx", "typer", "rich", "filelock", "packaging")


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    path = tmp_path / "runner.pyz"
    path.write_bytes(runner_file())
    return path


def answers(
    runner: Path, lacking: tuple[str, ...], *arguments: str, lines: str = "", before: str = ""
) -> list[str]:
    """Run the file far from this package, and return what it prints."""
    program = before + WITHOUT.format(names=lacking)
    command = [sys.executable, "-c", program, str(runner), *arguments]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        command, input=lines, capture_output=True, text=True, cwd=runner.parent, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_it_measures_without_anything_but_the_runtime_and_numpy(
    runner: Path, digits_onnx: Artifact
) -> None:
    requests = [
        describe_job(digits_onnx, "onnxruntime", 1),
        {"command": "run", "iterations": 3, "discard": 1},
        {"command": "memory"},
        {"command": "profile", "runs": 2},
    ]
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    told = map(json.loads, answers(runner, HOST_ONLY, "measure", lines=lines))
    started, samples, memory, profile = told
    assert {"Conv", "MatMul"} <= {kind for _, kind, _ in profile["operators"]}
    assert started["load_ns"] > 1e5
    assert len(samples["samples_ns"]) == 3
    assert 2e7 < memory["peak_rss_bytes"] < 3e8


def test_it_measures_with_python_3_9(runner: Path, digits_onnx: Artifact) -> None:
    requests = [describe_job(digits_onnx, "onnxruntime", 1), {"command": "outputs"}]
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    _, given = map(json.loads, answers(runner, HOST_ONLY, "measure", lines=lines, before=PLAIN_ZIP))
    assert given["outputs"][0]["shape"] == [1, 10]


def test_a_supplied_zip_compares_lengths_if_it_is_to() -> None:
    assert list(StrictZip("abc", [1, 2])) == [("a", 1), ("b", 2)]
    assert list(StrictZip(iter("ab"), [1, 2], strict=True)) == [("a", 1), ("b", 2)]
    with pytest.raises(ValueError, match="differ in length"):
        StrictZip("abc", [1, 2], strict=True)


def test_it_looks_at_a_board_that_has_only_python(runner: Path) -> None:
    lacking = (*HOST_ONLY, "numpy", "onnxruntime")
    (line,) = answers(runner, lacking, "fingerprint")
    assert json.loads(line)["hardware_threads"] == os.cpu_count()
    assert json.loads(line)["packages"]["onnxruntime"] == importlib.metadata.version("onnxruntime")
    (line,) = answers(runner, lacking, "conditions")
    assert json.loads(line)["busy_cores"] >= 0


def test_it_is_small_and_the_same_each_time() -> None:
    assert len(runner_file()) < 200_000
    assert runner_file() == runner_file()
    names = zipfile.ZipFile(io.BytesIO(runner_file())).namelist()
    assert "__main__.py" in names
    assert not [name for name in names if "export" in name or "bench" in name or "model/" in name]


def test_what_a_board_can_run_is_what_is_sent() -> None:
    assert set(NEEDED) == set(SshDevice.capabilities.runtimes)
