"""Measuring by Qualcomm AI Hub, whose client is a double in a Python of its own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affnet.artifact import Artifact
from affnet.bench.measurement.dry_run import steps
from affnet.bench.measurement.interleaved import Job
from affnet.bench.measurement.protocol import PRESETS, sustained
from affnet.bench.measurement.sweep import sweep
from affnet.bench.reporting.latency_table import table
from affnet.bench.reporting.notes import table_notes
from affnet.bench.reporting.output import emit
from affnet.bench.results.comparability import HOSTED, MeasurementConditions
from affnet.bench.results.outcome import DeviceOutcome
from affnet.bench.results.result import Result
from affnet.cache import FOLDER_VARIABLE
from affnet.devices.aihub import device as aihub
from affnet.devices.aihub.device import AihubDevice, AihubSettings
from affnet.devices.device_lock import FOLDER_VARIABLE as LOCKS
from affnet.devices.fake import FakeDevice
from affnet.errors import AffnetError, CatalogError
from affnet.processes import module_command, module_environment
from tests.devices.aihub.scenarios import (
    LOAD_US,
    PEAK_BYTES,
    PHONE,
    TIMES_US,
    Scenario,
    outputs_of,
    profile,
    python_with_double,
)


class Place:
    """A hosted phone of the double."""

    def __init__(self, folder: Path, artifact: Artifact) -> None:
        self.artifact = artifact
        self.scenario = Scenario(
            folder,
            version="0.56.0",
            profile=profile(),
            outputs=str(outputs_of(artifact, folder / "outputs.npz")),
        )
        self.python = str(python_with_double(folder, self.scenario))

    def device(self, **settings: Any) -> AihubDevice:
        """Return it as the catalog would."""
        chosen = {"device": PHONE, "python": self.python, **settings}
        return AihubDevice("s24", AihubSettings(**chosen))

    def bench(self, *labels: str, profile: bool = False, **settings: Any) -> DeviceOutcome:
        """Have the file measured, once for each label."""
        jobs = [Job(label, self.artifact, "onnxruntime") for label in labels or ("digits",)]
        device = self.device(**settings)
        return sweep(jobs, [device], PRESETS["default"], threads=1, profile=profile)[0]

    def calls(self, name: str) -> list[dict[str, Any]]:
        """Return the calls of the client of one name."""
        lines: list[dict[str, Any]] = [json.loads(line) for line in self.scenario.log()]
        return [line for line in lines if line["call"].split()[0] == name]


@pytest.fixture
def place(tmp_path: Path, digits_onnx: Artifact, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    (tmp_path / "locks").mkdir()
    monkeypatch.setenv(LOCKS, str(tmp_path / "locks"))
    monkeypatch.setattr(aihub, "POLL_S", 0.01)
    return Place(tmp_path, digits_onnx)


def the_result(outcome: DeviceOutcome) -> Result:
    assert outcome.error is None
    (result,) = outcome.results
    return result


def test_a_job_becomes_a_result_that_is_marked_as_hosted(place: Place) -> None:
    result = the_result(place.bench(profile=True))
    assert result.samples_ns == tuple(1000 * time for time in TIMES_US)
    assert (result.load_ns, result.peak_rss_bytes) == (1000 * LOAD_US, PEAK_BYTES)
    assert result.protocol == "one job of Qualcomm AI Hub"
    assert result.runtime_version == "Qualcomm AI Hub aihub-2026.11.1"
    assert result.environment["cpu"] == "qualcomm-snapdragon-8gen3"
    assert [(one.name, one.mean_ns) for one in result.operators][:2] == [
        ("conv", 100_000),
        ("fft", 60_000),
    ]
    assert result.placement is not None
    assert result.placement.text() == "66 % npu/gpu, 1 on CPU"
    assert result.parity is not None and result.parity.passed
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result
    assert result.to_json()["hosted"] == "Qualcomm AI Hub"
    (submitted,) = place.calls("submit")
    assert submitted["options"] == "--compute_unit all --max_profiler_iterations 100"
    assert (submitted["retry"], submitted["profile"]) == (False, True)
    (shape,) = submitted["inputs"].values()
    assert shape == [list(place.artifact.manifest.inputs[0].static_shape())]


def test_outputs_that_differ_are_said(place: Place) -> None:
    wrong = place.scenario.path.with_name("wrong.npz")
    right = np.load(place.scenario.path.with_name("outputs.npz"))["0"]
    np.savez(wrong, **{"0": right[..., ::-1]})
    place.scenario.change(outputs=str(wrong))
    result = the_result(place.bench())
    assert result.parity is not None and not result.parity.passed
    assert any("outputs differ from this machine's" in why for why in result.validity_reasons)


def test_a_file_is_uploaded_once(place: Place) -> None:
    place.bench()
    place.bench()
    assert len(place.calls("upload_model")) == 1
    assert len(place.calls("submit")) == 2
    place.scenario.change(refusals={"get_model": [404, "user", "gone"]})
    assert place.bench().error is None
    assert len(place.calls("upload_model")) == 2


def test_a_table_of_hosted_and_other_results_says_so(place: Place) -> None:
    hosted = the_result(place.bench())
    job = [Job("digits", place.artifact, "onnxruntime")]
    local = the_result(sweep(job, [FakeDevice()], PRESETS["default"], threads=1)[0])
    notes = table_notes([local, hosted])
    assert notes[1].startswith("Hosted: Qualcomm AI Hub measured on its Samsung Galaxy S24, ")
    assert notes[2].startswith("Rows of s24 are hosted results: ")
    assert not any(note.startswith("Rows of") for note in table_notes([hosted]))
    header = table([local, hosted]).csv().splitlines()[0]
    assert ",protocol," in header
    assert MeasurementConditions.of(hosted).values == HOSTED
    assert ", unknown threads, protocol one job of" in MeasurementConditions.of(hosted).title()


@pytest.mark.parametrize(
    ("refusals", "code", "sentence"),
    [
        ({"config": [0, "user", "x"]}, 3, "The client of Qualcomm AI Hub has no token; run: qai-"),
        ({"config": [1000, "user", "x"]}, 3, "The client of Qualcomm AI Hub has no token; run: "),
        ({"get_devices": [401, "user", "x"]}, 3, "Qualcomm AI Hub refuses the token of its clien"),
        ({"get_devices": [503, "internal", "x"]}, 3, "Qualcomm AI Hub does not answer: x; try aga"),
        (
            {"upload_model": [503, "internal", "┌──┐\n| cut |\n└──┘"]},
            1,
            "Uploading digits.onnx to Qualcomm AI Hub was interrupted: cut; try again.",
        ),
        (
            {"submit_inference_job": [429, "user", "10 jobs wait"]},
            1,
            "Qualcomm AI Hub takes no more jobs now: 10 jobs wait; try later.",
        ),
        (
            {"submit_inference_job": [400, "user", "too large"]},
            1,
            "Qualcomm AI Hub rejects digits.onnx: too large",
        ),
    ],
)
def test_what_the_service_refuses_is_a_sentence(
    place: Place, refusals: dict[str, Any], code: int, sentence: str
) -> None:
    place.scenario.change(refusals=refusals)
    error = place.bench().error
    assert error is not None
    assert str(error).startswith(sentence)
    assert error.exit_code == code


def test_a_job_that_fails_says_why_and_is_not_taken_up(place: Place) -> None:
    place.scenario.change(states=["CREATED", "FAILED"])
    error = place.bench().error
    assert str(error) == (
        "Qualcomm AI Hub's job https://hub.test/jobs/j1/ for digits.onnx failed: an operator is "
        "not supported"
    )
    place.scenario.change(states=["SUCCESS"])
    assert place.bench().error is None
    assert place.calls("get_job") == [{"call": "get_job j2"}]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"execution_summary": {}}, "KeyError"),
        ({"execution_detail": [{}]}, "KeyError"),
        ({"execution_summary": {"all_inference_times": [450, 0]}}, "a time of 0 us"),
    ],
)
def test_nonsense_is_refused(place: Place, change: dict[str, Any], reason: str) -> None:
    found = profile()
    for part, content in change.items():
        merged = {**found[part], **content} if content and part == "execution_summary" else content
        found[part] = merged
    place.scenario.change(profile=found)
    error = place.bench().error
    assert str(error).startswith("The job for digits.onnx reported nonsense (")
    assert reason in str(error)


def test_an_estimate_alone_is_no_valid_result(place: Place) -> None:
    found = profile()
    del found["execution_summary"]["all_inference_times"]
    place.scenario.change(profile=found)
    result = the_result(place.bench())
    assert result.samples_ns == (1000 * min(TIMES_US),)
    assert any("no single runs" in why for why in result.validity_reasons)


def test_finished_results_outlast_a_later_failure(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.scenario.change(failing=["j2"])
    kept: list[Result] = []
    jobs = [Job(name, place.artifact, "onnxruntime") for name in ("one", "two")]
    (outcome,) = sweep(jobs, [place.device()], PRESETS["quick"], threads=1, keep=kept.extend)
    assert outcome.error is not None
    assert [result.model for result in outcome.results] == ["one"] == [r.model for r in kept]
    assert emit([outcome], "two", "json", None) == 1  # whose peer is what failed
    shown = json.loads(capsys.readouterr().out)
    assert [result["ratio_to_peer"] for result in shown["results"]] == [None]
    assert shown["failures"][0]["error"].endswith("an operator is not supported")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"device": "Samsung Galaxy S2"}, "Qualcomm AI Hub has no device 'Samsung Galaxy S2'; did"),
        ({"os": "15"}, "Qualcomm AI Hub has no Samsung Galaxy S24 with the system '15'; set os in"),
    ],
)
def test_an_unknown_phone_names_what_there_is(
    place: Place, settings: dict[str, str], sentence: str
) -> None:
    error = place.bench(**settings).error
    assert str(error).startswith(sentence)
    assert error is not None and error.exit_code == 2


def test_a_client_that_is_missing_or_old_is_said(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.scenario.change(version="0.55.1")
    assert " has qai-hub 0.55.1; measuring needs 0.56 or newer; run: " in str(place.bench().error)
    monkeypatch.setenv("PATH", "")
    assert str(place.bench(python=None).error).startswith("qai-hub, the client of Qualcomm AI Hub")
    assert str(place.bench(python="/nowhere").error).startswith("/nowhere, the python of devices.")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("no program", "cannot be started: Exec format error; install it into an environment of"),
        ("#!/bin/sh\necho hello", "is no Python with the client of Qualcomm AI Hub: it said 'hel"),
        ("#!/bin/sh\necho Killed >&2", "ended early and said: Killed"),
    ],
)
def test_a_python_that_is_none_is_said(
    place: Place, tmp_path: Path, content: str, sentence: str
) -> None:
    program = tmp_path / "other"
    program.write_text(content)
    program.chmod(0o755)
    assert sentence in str(place.bench(python=str(program)).error)


def test_a_thread_that_waits_for_a_job_is_stopped(place: Place) -> None:
    place.scenario.change(states=["CREATED"])
    device = place.device()
    jobs = [Job("digits", place.artifact, "onnxruntime")]
    steps: list[str] = []

    def show(step: str) -> None:
        steps.append(step)
        if "waits for a device" in step:
            device.interrupt()

    error = sweep(jobs, [device], PRESETS["quick"], threads=1, progress=show)[0].error
    assert str(error) == "Waiting for Qualcomm AI Hub was stopped."
    assert "waits for a device, job https://hub.test/jobs/j1/" in steps[-1]


def test_the_python_beside_the_program_is_taken(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = Path(place.python).with_name("qai-hub")
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "qai-hub").symlink_to(program)  # as pipx and uv do
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert [check.passed for check in place.device(python=None).checks()] == [True, True]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"compute_unit": "dsp"}, "s24: compute_unit must be one of all, npu, gpu, cpu."),
        ({"runs": 0}, "s24: runs must be a number from 1 to 10000."),
        ({"min_battery": 20.0}, "s24: Qualcomm AI Hub reports no temperature and no battery."),
    ],
)
def test_settings_that_cannot_be_are_refused(
    place: Place, settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(CatalogError, match=f"^{re.escape(sentence)}$"):
        place.device(**settings)


def test_what_only_turns_can_do_is_refused(place: Place) -> None:
    job = [Job("digits", place.artifact, "onnxruntime")]
    for protocol, threads, option in (
        (PRESETS["default"], 2, "--threads"),
        (sustained(1), 1, "--sustained"),
    ):
        error = sweep(job, [place.device()], protocol, threads=threads)[0].error
        assert str(error).startswith(
            f"s24 is hosted by Qualcomm AI Hub, which has no such thing as {option}"
        )
    with pytest.raises(AffnetError, match="runs whole jobs and nothing in turns"):
        place.device().start(place.artifact, "onnxruntime", 1)


def test_a_dry_run_says_what_the_service_does(place: Place) -> None:
    planned = steps([str(place.artifact.path)], place.device(), "onnxruntime", 1, PRESETS["quick"])
    assert planned == [
        f"Ask Qualcomm AI Hub whether it has {PHONE}",
        "Upload digits.onnx to Qualcomm AI Hub, unless it has it",
        f"Have a job measure digits.onnx on {PHONE}, compute unit all, and wait for it",
    ]
    assert place.scenario.log() == []


def test_an_interrupted_job_is_waited_for_by_the_same_command(place: Place, tmp_path: Path) -> None:
    place.scenario.change(states=["PROVISIONING_DEVICE"])
    catalog = tmp_path / "devices.toml"
    catalog.write_text(f'[s24]\nkind = "aihub"\ndevice = "{PHONE}"\npython = "{place.python}"\n')
    command = ["bench", str(place.artifact.path), "--device", "s24", "--devices-file", str(catalog)]
    running = subprocess.Popen(
        [*module_command("affnet.cli"), *command],
        env=module_environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    for line in running.stderr:
        if "gets a device, job https://hub.test/jobs/j1/" in line:
            break
    running.send_signal(signal.SIGINT)
    said = running.stderr.read()
    running.stderr.close()
    assert running.wait() == 130
    assert "Note: Job https://hub.test/jobs/j1/ goes on, as the client" in said
    place.scenario.change(states=["SUCCESS"])
    assert place.bench().error is None
    assert len(place.calls("submit")) == 1  # it was taken up
    place.bench()
    assert len(place.calls("submit")) == 2  # and is measured anew, once a run has ended
