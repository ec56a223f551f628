"""ExecuTorch in a process without torch: the library is compiled, and the runner runs a program."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affnet.artifact import Artifact
from affnet.devices.worker import executorch_library
from affnet.devices.worker.bundle import runner_file
from affnet.devices.worker.channel import describe_job
from affnet.devices.worker.executorch_library import library
from affnet.devices.worker.serve import decode, encode
from affnet.errors import MissingError
from affnet.runtimes import get_runtime
from affnet.runtimes.executorch_native import LIBRARY
from tests.devices.worker.test_bundle import HOST_ONLY, WITHOUT

PROGRAM = Path(__file__).parents[2] / "data/of_12eeb20/build.pte"
HERE = platform.machine()
compiles = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


def told(folder: Path, *requests: dict[str, Any]) -> list[dict[str, Any]]:
    """Let the runner, with the library beside it, answer where there is no torch."""
    runner = folder / "runner.pyz"
    runner.write_bytes(runner_file())
    made = library(HERE, get_runtime("executorch").version())
    shutil.copyfile(made, folder / LIBRARY)
    command = [sys.executable, "-c", WITHOUT.format(names=HOST_ONLY), str(runner), "measure"]
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@compiles
@pytest.mark.converters
def test_a_program_gives_there_what_it_gives_here(tmp_path: Path) -> None:
    artifact = Artifact.open(PROGRAM)
    given = np.random.default_rng(0).random((1, 3, 16, 16), np.float32)
    started, ran, inferred = told(
        tmp_path,
        describe_job(artifact, "executorch", 2),
        {"command": "run", "iterations": 3, "discard": 1},
        {"command": "infer", "inputs": [encode(given)]},
    )
    assert started["runtime_version"] == get_runtime("executorch").version()
    assert len(ran["samples_ns"]) == 3
    (expected,) = get_runtime("executorch").load(PROGRAM, threads=1).run(given)
    np.testing.assert_allclose(decode(inferred["outputs"][0]), expected, rtol=1e-5, atol=1e-6)


@compiles
@pytest.mark.converters
def test_what_does_not_fit_is_an_error_and_no_crash(tmp_path: Path) -> None:
    artifact = Artifact.open(PROGRAM)
    small = np.zeros((1, 3, 8, 8), np.float32)
    *_, refused = told(
        tmp_path,
        describe_job(artifact, "executorch", 1),
        {"command": "infer", "inputs": [encode(small)]},
    )
    assert "ExecuTorch does not run the program: error 0x12." in json.dumps(refused)
    damaged = tmp_path / "damaged.pte"
    damaged.write_bytes(PROGRAM.read_bytes()[:4000])
    job = describe_job(artifact, "executorch", 1) | {"artifact": str(damaged)}
    job["sha256"] = executorch_library.content_sha256(damaged)
    (refused,) = told(tmp_path, job)
    assert f"ExecuTorch rejects {damaged}: error 0x" in json.dumps(refused)


def test_without_a_compiler_the_command_that_installs_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    other = "aarch64" if HERE != "aarch64" else "x86_64"
    with pytest.raises(MissingError) as info:
        library(other, "1.5.1")
    assert info.value.problem.endswith(f"and {other}-linux-gnu-g++ is missing")
    name = other.replace("_", "-")
    assert info.value.remedy == f"run: sudo apt-get install g++-{name}-linux-gnu"


@compiles
def test_a_version_that_is_not_here_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(executorch_library, "fetch_wheels", lambda *of: asked.append(of))
    with pytest.raises(MissingError, match=r"does not compile ExecuTorch's library: .*error"):
        library(HERE, "0.0.1")
    ((versions, _, _, machine),) = asked
    assert (versions, machine) == ({"executorch": "0.0.1"}, HERE)
