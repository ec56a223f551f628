"""What of an export travels to a worker, and what is made of its answer here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from affnet.cluster.run import Run
from affnet.errors import AffnetError, MissingError, UsageError
from affnet.export.on_cluster import check_travels, export_jobs, export_task, take_exports
from affnet.export.request import ExportRequest


def test_files_travel_under_the_names_that_a_manifest_gives_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those below the working directory keep their path from there, others their name."""
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    for path in (here / "runs/best.pt", here / "config.yaml", elsewhere / "config.yaml"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(path))
    (elsewhere / "pictures").mkdir()
    (elsewhere / "pictures" / "a.png").write_bytes(b"a")
    monkeypatch.chdir(here)
    request = ExportRequest(
        "runs/best.pt",
        output="out",
        config="config.yaml",
        labels=str(elsewhere / "config.yaml"),
        verify_on=str(elsewhere / "pictures"),
        precision="int8",
        calibration_data="images",
    )
    (job,) = export_jobs([request])
    there = job.payload["request"]
    assert {name: there[name] for name in ("source", "config", "labels", "verify_on")} == {
        "source": "runs/best.pt",
        "config": "config.yaml",
        "labels": "another/config.yaml",
        "verify_on": "pictures",
    }
    assert there["calibration_data"] == str(here / "images")
    assert job.payload["output"] == str(here / "out")
    (parcel,) = job.parcels
    assert parcel.contents() == {
        "runs/best.pt": str(here / "runs/best.pt").encode(),
        "config.yaml": str(here / "config.yaml").encode(),
        "another/config.yaml": str(elsewhere / "config.yaml").encode(),
        "pictures/a.png": b"a",
    }


class Answered:
    """A run whose jobs have ended."""

    def __init__(self, jobs: list[Any], answers: list[Any]) -> None:
        self.jobs, self._answers = jobs, answers

    def finish(self, _: object, done: Callable[[int, Any, AffnetError | None], None]) -> None:
        for number, answer in enumerate(self._answers):
            failed = isinstance(answer, AffnetError)
            done(number, None if failed else answer, answer if failed else None)


def test_what_workers_made_is_written_here_and_errors_stay_what_they_are(tmp_path: Path) -> None:
    output = tmp_path / "out"
    jobs = export_jobs([ExportRequest("digits", form, str(output)) for form in ("onnx", "tflite")])
    made = {
        "record": {"artifact": "/scratch/made/digits.onnx"},
        "notes": ["a note"],
        "seconds": 2.0,
        "files": {"digits.onnx": b"file", "digits.onnx.manifest.json": b"{}"},
    }
    missing = MissingError("On worker-2: no tflite", "install it.")
    said: list[str] = []
    run = cast(Run, Answered(jobs, [made, missing]))
    done, failed = take_exports(run, said.append)
    assert done.record == {"artifact": str(output / "digits.onnx")}
    assert (output / "digits.onnx").read_bytes() == b"file"
    assert (failed.error, failed.exit_code, failed.record) == (missing, 3, None)
    assert said == ["onnx done after 2 s", "tflite failed after 0 s"]


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (ExportRequest("nets:build"), "nets:build is code of this machine"),
        (ExportRequest("digits", prove_on="arm64"), "--prove-on runs files on devices"),
        (ExportRequest("digits", repair=True), "--repair runs files on devices"),
    ],
)
def test_what_cannot_travel_is_refused(request_: ExportRequest, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        check_travels(request_)


def test_names_travel_without_files() -> None:
    for source in ("digits", "timm:resnet18", "affnet_et+twins"):
        check_travels(ExportRequest(source))
        (job,) = export_jobs([ExportRequest(source)])
        assert job.parcels == ()


def test_a_name_is_exported_in_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = export_jobs([ExportRequest("digits", image_size=(64, 64))])

    def answer(request: ExportRequest) -> dict[str, Any]:
        return {"record": {"artifact": request.output, "size": request.image_size}, "notes": []}

    monkeypatch.setattr("affnet.export.worker.answer_to", answer)
    found = export_task(json.loads(json.dumps(job.payload)), tmp_path)
    assert found["record"] == {"artifact": str(tmp_path / "made"), "size": (64, 64)}
