"""tract: a second runtime for ONNX files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from affnet.artifact import TensorSpec
from affnet.errors import ArtifactError, MissingError, UsageError
from affnet.export.verification.open import in_runtime
from affnet.export.verification.subject import Subject
from affnet.runtimes import runtime_for, runtime_of_file
from affnet.runtimes.tract import TractRuntime
from tests.conftest import Finished
from tests.runtimes.onnx_files import EXPECTED, IMAGE, SHAPE, write_model
from tests.shared_artifacts import SharedArtifacts

pytestmark = pytest.mark.converters


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    pytest.importorskip("tract", reason="needs pip install 'affnet[tract]'")


def test_it_computes_an_onnx_file(tmp_path: Path) -> None:
    session = TractRuntime.load(write_model(tmp_path / "net.onnx"), threads=1)
    first, second = session.run(IMAGE)
    np.testing.assert_allclose(first, EXPECTED, atol=1e-6)
    assert second.shape == EXPECTED.shape
    session.run(np.zeros(SHAPE, np.float32))
    np.testing.assert_allclose(first, EXPECTED, atol=1e-6)


def test_operators_are_timed(tmp_path: Path) -> None:
    path = write_model(tmp_path / "net.onnx")
    times = TractRuntime.profile(path, threads=1, inputs=[IMAGE], runs=2)
    assert times
    assert all(isinstance(ns, int) and ns > 0 for *_, ns in times)
    assert any("Sigmoid" in kind for _, kind, _ in times)


def test_onnx_files_stay_those_of_onnx_runtime() -> None:
    assert runtime_for("onnx").name == runtime_of_file(Path("net.onnx")).name == "onnxruntime"


def test_what_it_does_not_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(ArtifactError, match=r"^tract rejects .*net\.onnx: "):
        TractRuntime.load(path, threads=1)


def test_more_threads_than_one_are_refused() -> None:
    with pytest.raises(UsageError, match="one thread, not 2"):
        TractRuntime.load(Path("net.onnx"), threads=2)


def test_a_missing_package_is_told_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tract", None)
    with pytest.raises(MissingError, match=r"pip install 'affnet\[tract\]'$"):
        TractRuntime.version()


def test_a_file_is_verified_in_the_runtime_asked_for() -> None:
    spec = TensorSpec("x", SHAPE, "float32")
    subject = Subject(Path("net.onnx"), "onnx", (spec,), (spec,), "fp32")
    assert (subject.engine.name, in_runtime(subject, "tract").engine.name) == (
        "onnxruntime",
        "tract",
    )
    with pytest.raises(UsageError, match=r"litert does not run .* onnx; choose .* onnxruntime"):
        in_runtime(subject, "litert")


def test_a_proof_names_the_runtime_that_computed(
    shared_artifact: SharedArtifacts, run: Callable[..., Finished]
) -> None:
    path = shared_artifact("digits", "onnx").path
    done = run("verify", path, "--runtime", "tract")
    assert "agrees with PyTorch in tract" in done.out
    assert run("verify", path, "--runtime", "tract", "--json").json["runtime"] == "tract"
