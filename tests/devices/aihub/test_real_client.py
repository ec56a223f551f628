"""The real ``qai-hub`` against a server on loopback that speaks the service's REST and protobuf.

``AFFNET_TEST_QAI_HUB`` names the Python that has it; without, that of the program on the path.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from affnet.artifact import Artifact
from affnet.bench.measurement.interleaved import Job
from affnet.bench.measurement.protocol import PRESETS
from affnet.bench.measurement.sweep import sweep
from affnet.bench.results.outcome import DeviceOutcome
from affnet.cache import FOLDER_VARIABLE
from affnet.devices.aihub import device as aihub
from affnet.devices.aihub.client_python import client_environment, find_python
from affnet.devices.aihub.device import AihubDevice, AihubSettings
from affnet.devices.device_lock import FOLDER_VARIABLE as LOCKS
from affnet.errors import MissingError
from tests.devices.aihub.scenarios import (
    LAYERS,
    LOAD_US,
    PEAK_BYTES,
    PHONE,
    TIMES_US,
    Scenario,
    outputs_of,
    python_with_double,
)

pytestmark = pytest.mark.exhaustive

HERE = Path(__file__).parent
TOKEN = "a-token-that-nobody-may-see"  # noqa: S105  # of the server on loopback
PROFILE = {"times": TIMES_US, "load": LOAD_US, "memory": PEAK_BYTES, "layers": LAYERS}


@pytest.fixture(scope="module")
def real_python() -> str:
    """The Python that has the real client."""
    try:
        found = find_python(os.environ.get("AFFNET_TEST_QAI_HUB"))
    except MissingError as error:
        pytest.skip(str(error))
    return found


class Service:
    """The server, and what it is asked for."""

    def __init__(self, folder: Path, python: str, artifact: Artifact) -> None:
        outputs = outputs_of(artifact, folder / "outputs.npz")
        self.scenario = Scenario(folder, token=TOKEN, profile=PROFILE, outputs=str(outputs))
        self._python, self._artifact = python, artifact
        self._server = subprocess.Popen(
            [python, str(HERE / "hub_server.py"), str(self.scenario.path)],
            env=client_environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._server.stdout is not None
        address = f"http://127.0.0.1:{int(self._server.stdout.readline())}"
        self.configuration = folder / "client.ini"
        self.configuration.write_text(
            f"[api]\napi_token = {TOKEN}\napi_url = {address}\nweb_url = {address}\n"
        )

    def stop(self) -> None:
        """End it."""
        self._server.kill()
        self._server.wait()
        assert self._server.stdout is not None
        self._server.stdout.close()

    def bench(self, steps: list[str] | None = None, **settings: Any) -> DeviceOutcome:
        """Have the file measured."""
        chosen = {"device": PHONE, "python": self._python, **settings}
        device = AihubDevice("s24", AihubSettings(**chosen))
        runtime = "litert" if self._artifact.path.suffix == ".tflite" else "onnxruntime"
        jobs = [Job("digits", self._artifact, runtime)]
        show = [].append if steps is None else steps.append
        return sweep(jobs, [device], PRESETS["default"], threads=1, progress=show)[0]

    def requests(self, path: str) -> int:
        """Count the requests of one method and path."""
        return sum(line.startswith(path) for line in self.scenario.log())


@pytest.fixture(params=["onnx", "tflite"])
def artifact(
    request: pytest.FixtureRequest, digits_onnx: Artifact, digits_tflite: Artifact
) -> Artifact:
    return digits_onnx if request.param == "onnx" else digits_tflite


@pytest.fixture
def service(
    tmp_path: Path, real_python: str, artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "cache"))
    (tmp_path / "locks").mkdir()
    monkeypatch.setenv(LOCKS, str(tmp_path / "locks"))
    monkeypatch.setattr(aihub, "POLL_S", 0.05)
    found = Service(tmp_path, real_python, artifact)
    monkeypatch.setenv("QAIHUB_CLIENT_INI", str(found.configuration))
    try:
        yield found
    finally:
        found.stop()


def test_a_file_is_measured_and_its_outputs_are_compared(
    service: Service, artifact: Artifact, tmp_path: Path
) -> None:
    steps: list[str] = []
    outcome = service.bench(steps)
    assert outcome.error is None
    (result,) = outcome.results
    assert result.samples_ns == tuple(1000 * time for time in TIMES_US)
    assert (result.load_ns, result.peak_rss_bytes) == (1000 * LOAD_US, PEAK_BYTES)
    assert result.runtime_version == "Qualcomm AI Hub aihub-2026.11.1"
    assert result.placement is not None and result.placement.units == {"npu": 2, "cpu": 1}
    assert result.parity is not None and result.parity.passed
    sent = json.loads((tmp_path / "scenario.job").read_text())
    taken = artifact.manifest.inputs[0]
    name = {"onnx": "image", "tflite": "serving_default_args_0"}[artifact.manifest.format]
    assert sent["inputs"] == {name: list(taken.static_shape())}  # as the file calls it
    assert any("is measured, job http://127.0.0.1:" in step for step in steps)
    uploads = service.requests("PUT /files/")
    service.bench()
    assert service.requests("PUT /files/") == uploads == 1
    service.scenario.change(forgot_models=True)
    assert service.bench().error is None
    assert service.requests("PUT /files/") == 2
    kept = [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]
    shown = "\n".join([*steps, str(outcome), *(file.read_text() for file in kept)])
    assert kept
    assert TOKEN not in shown


REFUSALS: list[tuple[dict[str, Any], int, str]] = [
    ({"token": "another"}, 3, "Qualcomm AI Hub refuses the token of its client; run: qai-hub "),
    ({"states": ["CREATED", "FAILED"]}, 1, "failed: an operator is not supported"),
    ({"upload": "SignatureExpired"}, 1, "was interrupted: Failed to upload the file. Signature"),
    (
        {"refusals": {"POST jobs": [400, '{"detail": "It is too large."}']}},
        1,
        "Qualcomm AI Hub rejects digits",
    ),
    # the client tries seven times, for about 20 s, both a connection that is lost and a quota
    ({"upload": "cut"}, 1, "was interrupted: Internal API failure. Could not connect to Qual"),
    (
        {"refusals": {"POST jobs": [429, '{"detail": "10 jobs wait"}']}},
        1,
        "Qualcomm AI Hub takes no more jobs now: 10 jobs wait; try later.",
    ),
]


@pytest.mark.parametrize("artifact", ["onnx"], indirect=True)
@pytest.mark.parametrize(("change", "code", "sentence"), REFUSALS)
def test_what_the_service_refuses_is_a_sentence(
    service: Service, change: dict[str, Any], code: int, sentence: str
) -> None:
    service.scenario.change(**change)
    error = service.bench().error
    assert error is not None
    assert sentence in str(error)
    assert error.exit_code == code
    assert "\n" not in str(error)


@pytest.mark.parametrize("artifact", ["onnx"], indirect=True)
def test_a_missing_token_and_an_unknown_phone_are_said(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = str(service.bench(device="Samsung Galaxy S2").error)
    assert found == f"Qualcomm AI Hub has no device 'Samsung Galaxy S2'; did you mean '{PHONE}'?"
    for configuration in (service.configuration.with_name("none"), service.configuration):
        service.configuration.write_text("[api]\n")
        monkeypatch.setenv("QAIHUB_CLIENT_INI", str(configuration))
        assert "has no token; run: qai-hub configure" in str(service.bench().error)


def test_the_double_has_the_signatures_of_the_real_client(tmp_path: Path, real_python: str) -> None:
    double = python_with_double(tmp_path, Scenario(tmp_path, version="0.56.0"))
    said = [
        json.loads(
            subprocess.run(
                [python, str(HERE / "client_signatures.py")],
                env=client_environment(),
                capture_output=True,
                check=True,
                text=True,
            ).stdout
        )
        for python in (str(double), real_python)
    ]
    assert said[0] == said[1]
