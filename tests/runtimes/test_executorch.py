"""ExecuTorch as a runtime: damaged files are refused in one sentence, and never end the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from affnet.artifact import Artifact
from affnet.errors import ArtifactError, MissingError, UsageError
from affnet.runtimes.executorch import ExecutorchRuntime
from tests.tiny import CLASSES, noise

pytestmark = [pytest.mark.converters, pytest.mark.filterwarnings("ignore")]


def damaged(artifact: Artifact, folder: Path, content: bytes) -> Artifact:
    path = folder / "damaged.pte"
    path.write_bytes(content)
    return Artifact(path, artifact.manifest)


def test_it_runs_and_its_outputs_are_copies(tiny_pte: Artifact) -> None:
    session = ExecutorchRuntime.load(tiny_pte.path, threads=1)
    (first,) = session.run(noise(1, 3, 32, 32, seed=1).numpy())
    kept = first.copy()
    (second,) = session.run(noise(1, 3, 32, 32, seed=2).numpy())
    assert first.shape == (1, CLASSES)
    assert np.array_equal(first, kept)
    assert not np.array_equal(first, second)


def test_threads_stay_as_they_are_while_a_session_is_in_use(tiny_pte: Artifact) -> None:
    session = ExecutorchRuntime.load(tiny_pte.path, threads=1)
    with pytest.raises(UsageError, match="runs programs on 1 threads in this process already"):
        ExecutorchRuntime.load(tiny_pte.path, threads=2)
    del session
    ExecutorchRuntime.load(tiny_pte.path, threads=2)


@pytest.mark.parametrize("length", [0, 3, 8, 40, 1000, -1000, -1])
def test_a_truncated_file_is_refused(length: int, tiny_pte: Artifact, tmp_path: Path) -> None:
    content = tiny_pte.path.read_bytes()
    artifact = damaged(tiny_pte, tmp_path, content[:length])
    with pytest.raises(ArtifactError) as error:
        ExecutorchRuntime.load(artifact.path, threads=1)
    assert str(error.value).count("\n") == 0
    assert str(artifact.path) in str(error.value)


def test_a_program_of_another_version_is_named(tiny_pte: Artifact, tmp_path: Path) -> None:
    content = bytearray(tiny_pte.path.read_bytes())
    content[4:8] = b"ET11"
    with pytest.raises(ArtifactError, match=r"of the version ET11, but executorch .* runs ET12\."):
        ExecutorchRuntime.load(damaged(tiny_pte, tmp_path, bytes(content)).path, threads=1)


def test_the_wrong_kind_of_file_is_refused(tiny_pte: Artifact, tmp_path: Path) -> None:
    path = damaged(tiny_pte, tmp_path, b"nothing of the kind").path
    for call in (ExecutorchRuntime.operators, lambda p: ExecutorchRuntime.load(p, threads=1)):
        with pytest.raises(ArtifactError, match="is damaged or no ExecuTorch program"):
            call(path)


def test_a_program_is_run_and_read_without_the_compiler_and_nothing_is_printed(
    tiny_pte: Artifact,
) -> None:
    code = (
        "import sys; from pathlib import Path; from affnet.runtimes.executorch import *;"
        "path = Path(sys.argv[1]); R = ExecutorchRuntime; R.version(); R.load(path, threads=1);"
        "assert R.describe(path).outputs and R.operators(path) and placement_of(path).operators;"
        # whose import later must find nothing half made
        "assert not [name for name in sys.modules if 'torch._dynamo' in name or '.exir' in name]"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(tiny_pte.path)]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


def test_without_the_package_the_command_to_install_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "executorch", None)
    with pytest.raises(MissingError, match=r"pip install 'affnet\[executorch\]'"):
        ExecutorchRuntime.version()
