"""The Python interface: what commands do, without them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import affnet
from affnet.artifact import Artifact


def test_a_file_is_opened_and_verified(digits_onnx: Artifact) -> None:
    assert affnet.open_artifact(digits_onnx.path).manifest.model == "digits"
    parity = affnet.verify_artifact(digits_onnx.path)
    assert isinstance(parity, affnet.Parity)
    assert parity.passed


def test_files_are_measured_side_by_side(digits_onnx: Artifact) -> None:
    steps: list[str] = []
    (result,) = affnet.measure_artifacts(
        [digits_onnx.path], device="fake", preset="quick", progress=steps.append
    )
    assert isinstance(result, affnet.Result)
    assert (result.model, result.device, result.runtime) == ("digits", "fake", "onnxruntime")
    assert result.samples_ns
    assert steps


def test_budgets_are_checked(digits_onnx: Artifact, tmp_path: Path) -> None:
    budgets = tmp_path / "budgets.toml"
    entry = f'[[budget]]\nmodel = "{digits_onnx.path}"\ndevice = "fake"\n'
    budgets.write_text(f'{entry}at_most = "1 s"\n{entry}at_most = "1 ns"\n')
    report = affnet.check_budgets(budgets, max_rounds=4)
    assert isinstance(report, affnet.CheckReport)
    assert [verdict.verdict for verdict in report.verdicts] == ["PASS", "FAIL"]
    assert all(isinstance(verdict, affnet.Verdict) for verdict in report.verdicts)


def test_what_is_wrong_is_an_error_of_the_tree(digits_onnx: Artifact, tmp_path: Path) -> None:
    with pytest.raises(affnet.errors.UsageError, match="nothing to measure"):
        affnet.measure_artifacts([])
    with pytest.raises(affnet.errors.UnknownNameError, match="toaster"):
        affnet.measure_artifacts([digits_onnx.path], device="toaster")
    with pytest.raises(affnet.errors.AffnetError, match=r"missing\.onnx"):
        affnet.verify_artifact(tmp_path / "missing.onnx")
    with pytest.raises(affnet.errors.UsageError, match=r"none\.toml"):
        affnet.check_budgets(tmp_path / "none.toml")


def test_errors_are_there_without_an_import_of_their_own() -> None:
    code = "import affnet; print(affnet.errors.AffnetError.__name__, affnet.Result.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "AffnetError Result\n", done.stderr


def test_a_python_that_is_too_old_is_named_before_a_package_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    with pytest.raises(ImportError, match=r"^affnet needs Python 3\.11 or later, and this is "):
        _ = affnet.export_artifact
    assert affnet.errors.AffnetError  # which boards import with an older one
