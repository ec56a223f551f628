"""A double of the ``qai_hub`` package: what `affnet.devices.aihub.service` uses of it.

What it says stands in the scenario, the JSON file that ``QAI_HUB_DOUBLE`` names; each call is a
line of the log beside it.  `tests.devices.aihub.test_real_client` compares its signatures with the
installed ones.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

SCENARIO = Path(os.environ["QAI_HUB_DOUBLE"])
__version__ = json.loads(SCENARIO.read_text())["version"]


class Error(Exception):
    def __init__(self, message):
        super().__init__(message)


class UserError(Error):
    pass


class InternalError(Error):
    pass


class APIException(Exception):  # noqa: N818  # as the client calls it
    def __init__(self, status_code):
        super().__init__(f"status {status_code}")
        self.status_code = status_code


@dataclass
class Device:
    name: str = ""
    os: str = ""
    attributes: str | list[str] = field(default_factory=list)


@dataclass
class Status:
    code: str
    message: str | None = None

    @property
    def finished(self):
        return self.code in ("SUCCESS", "FAILED")

    @property
    def success(self):
        return self.code == "SUCCESS"


@dataclass
class Model:
    model_id: str


class InferenceJob:
    def __init__(self, job_id, device):
        self.job_id = job_id
        self.device = device
        self.url = f"https://hub.test/jobs/{job_id}/"
        self.hub_version = "aihub-2026.11.1"

    def get_status(self) -> Status:
        states = _scenario()["states"]
        count = _called(f"get_status {self.job_id}")
        state = states[min(count, len(states)) - 1]
        state = "FAILED" if self.job_id in _scenario().get("failing", []) else state
        return Status(state, _scenario()["reason"] if state == "FAILED" else None)

    def download_profile(self, filename: str | None = None) -> dict | str:
        return _scenario()["profile"]

    def download_output_data(self, filename: str | None = None) -> dict[str, Any] | str | None:
        with np.load(_scenario()["outputs"]) as content:
            return {f"output_{name}": [content[name]] for name in content.files}


class Client:
    def __init__(
        self, config=None, profile=None, default_project_id=None, client_mode="library"
    ) -> None:
        self.verbose = True

    def set_verbose(self, verbose: bool = True) -> None:
        _refuse("config")
        self.verbose = verbose
        print("the client prints what it likes")

    def get_devices(self, name="", os="", attributes=None):
        _refuse("get_devices")
        devices = [Device(**device) for device in _scenario()["devices"]]
        return [d for d in devices if name in ("", d.name) and os in ("", d.os)]

    def get_model(self, model_id):
        _called(f"get_model {model_id}")
        _refuse("get_model")
        return Model(model_id)

    def get_job(self, job_id, job_type=None):
        _called(f"get_job {job_id}")
        _refuse("get_job")
        return InferenceJob(job_id, self.get_devices()[0])

    def upload_model(self, model, name=None, project=None):
        _called("upload_model")
        _refuse("upload_model")
        return Model("m1")

    def submit_inference_job(
        self,
        model,
        device,
        inputs=None,
        name=None,
        options="",
        retry=True,
        profile=True,
        project=None,
    ):
        shapes = {key: [list(one.shape) for one in value] for key, value in inputs.items()}
        number = _called("submit", options=options, inputs=shapes, retry=retry, profile=profile)
        _refuse("submit_inference_job")
        return InferenceJob(f"j{number}", device)


def _scenario() -> Any:
    return json.loads(SCENARIO.read_text())


def _called(what: str, **more: Any) -> int:
    """Log a call; return the how manieth of its name it is."""
    path = SCENARIO.with_suffix(".log")
    with path.open("a") as log:
        print(json.dumps({"call": what, **more}), file=log)
    return sum(json.loads(line)["call"] == what for line in path.read_text().splitlines())


def _refuse(call: str) -> None:
    """Raise what the scenario wants of a call, as the client raises it: for an answer's status."""
    refusal = _scenario().get("refusals", {}).get(call)
    if refusal is None:
        return
    status, kind, text = refusal
    try:
        raise FileNotFoundError(text) if status == 0 else APIException(status)
    except (APIException, FileNotFoundError):
        raise {"user": UserError, "internal": InternalError}[kind](text) from None
