"""Commands that are stopped, and commands that meet: what stands in the folder is always whole."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from tests.cli.conftest import contents, start


@pytest.mark.parametrize(
    ("stop", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143)],
    ids=["SIGINT", "SIGTERM"],
)
def test_an_export_stopped_amid_its_conversion_leaves_what_stood_before(
    workspace: Path, stop: signal.Signals, code: int
) -> None:
    (workspace / "digits.onnx").write_bytes(b"what stood before")
    (workspace / "digits.onnx.manifest.json").write_bytes(b"its manifest")
    before = contents(workspace)
    export = start("export", "digits", "-o", workspace)
    export.wait_for("Converting digits to onnx")
    time.sleep(0.3)  # the conversion takes seconds
    assert len(contents(workspace)) > len(before)  # the staging folder stands
    export.process.send_signal(stop)
    done = export.finish()
    assert done.code == code
    assert "Traceback" not in done.err
    assert done.out == ""
    assert contents(workspace) == before


@pytest.mark.slow
def test_two_exports_into_one_folder_at_once_both_succeed_and_leave_a_matching_pair(
    workspace: Path,
) -> None:
    command = ("export", "tests.tiny:with_image", "-f", "torch", "-o", workspace / "both")
    exports = [start(*command) for _ in range(2)]
    assert [export.finish().code for export in exports] == [0, 0]
    path = workspace / "both" / "tiny_with_image.pt2"
    assert sorted(contents(path.parent)) == [path.name, f"{path.name}.manifest.json"]
    artifact = Artifact.open(path)  # compares the SHA-256
    assert artifact.manifest.parity is not None
    assert artifact.manifest.parity.passed
