"""A server that speaks Qualcomm AI Hub's REST and protobuf as the real client sends it.

It runs in the Python that has ``qai-hub``, whose message classes it uses, and prints its port.  It
computes nothing: a scenario, a JSON file that it reads anew at each request, says how jobs go.
Each request is a line of the log beside it: method and path, and never a header.
"""

from __future__ import annotations

import io
import json
import re
import sys
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
from qai_hub import public_api_pb2 as pb
from qai_hub.util.dataset_entries_converters import dataset_entries_to_h5, h5_to_dataset_entries

SCENARIO = Path(sys.argv[1])
STATES = {
    "CREATED": pb.JOB_STATE_CREATED,
    "PROVISIONING_DEVICE": pb.JOB_STATE_PROVISIONING_DEVICE,
    "MEASURING_PERFORMANCE": pb.JOB_STATE_MEASURING_PERFORMANCE,
    "SUCCESS": pb.JOB_STATE_DONE,
    "FAILED": pb.JOB_STATE_FAILED,
}
UNITS = {"CPU": pb.COMPUTE_UNIT_CPU, "GPU": pb.COMPUTE_UNIT_GPU, "NPU": pb.COMPUTE_UNIT_NPU}


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    stored: ClassVar[dict[str, bytes]] = {}  # what was uploaded, by the id of its model or dataset
    jobs: ClassVar[dict[str, list[Any]]] = {}  # the message, and the states that are to come

    def log_message(self, *arguments: Any) -> None:
        pass

    def handle_any(self) -> None:
        self.scenario = json.loads(SCENARIO.read_text())
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        url = urllib.parse.urlsplit(self.path)
        self.query = urllib.parse.parse_qs(url.query)
        with SCENARIO.with_suffix(".log").open("a") as log:
            print(self.command, url.path, file=log)
        path = url.path.removeprefix("/api/v1/").strip("/")
        if path.startswith("files/"):
            self.files(path)
            return
        if self.headers["Authorization"] != f"token {self.scenario['token']}":
            self.answer(401, b"{}")
            return
        refusal = self.scenario.get("refusals", {}).get(f"{self.command} {path.split('/')[0]}")
        if refusal:
            self.answer(*refusal)
            return
        for pattern, method in ROUTES.items():
            if match := re.fullmatch(pattern, f"{self.command} {path}"):
                method(self, *match.groups())
                return
        self.answer(404, b"no such thing")

    do_GET = do_POST = do_PUT = do_PATCH = handle_any  # noqa: N815  # the library's names

    def answer(self, status: int, body: Any, **headers: str) -> None:
        content = body if isinstance(body, bytes) else str(body).encode()
        if hasattr(body, "SerializeToString"):
            content = body.SerializeToString()
            headers["Content-Type"] = "application/x-protobuf"
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def files(self, path: str) -> None:
        """Play the storage beside the service."""
        name = path.removeprefix("files/")
        if self.command == "GET":
            self.answer(200, self.stored[name])
            return
        if (refusal := self.scenario.get("upload")) == "cut":
            self.connection.close()
            return
        if refusal:
            self.answer(403, f"<Error><Code>{refusal}</Code><Message>cut off</Message></Error>")
            return
        if self.command == "POST":  # a form, whose last part is the file
            boundary = self.headers["Content-Type"].partition("boundary=")[2].encode()
            self.body = self.body.split(b"--" + boundary)[-2].partition(b"\r\n\r\n")[2][:-2]
        self.stored[name] = self.body
        self.answer(200, b"", ETag=f'"{len(self.body)}"')

    def here(self, name: str) -> str:
        host, port = self.server.server_address[:2]
        return f"http://{host}:{port}/files/{name}"

    def created(self, identity: str) -> None:
        response = pb.CreateUpdateResponse(id=identity)
        response.creation_time.GetCurrentTime()
        self.answer(200, response)

    def devices(self) -> None:
        name, system = (self.query.get(key, [""])[0] for key in ("name", "os"))
        found = pb.DeviceList()
        for device in self.scenario["devices"]:
            if name in ("", device["name"]) and system in ("", device["os"]):
                found.devices.append(pb.Device(**device))
        if self.query.get("select") == ["True"]:
            del found.devices[:-1]
        self.answer(200, found)

    def new_model(self) -> None:
        model = pb.Model.FromString(self.body)
        identity = f"m{len(self.stored)}"
        self.stored[identity] = b""
        assert model.model_type in (pb.MODEL_TYPE_ONNX, pb.MODEL_TYPE_TFLITE)
        self.created(identity)

    def model_urls(self, identity: str) -> None:
        assert int(self.query["file_size"][0]) > 0
        urls = pb.FileMultipartUploadURL(
            urls=[self.here(identity)], upload_id="u", max_part_size=1 << 30
        )
        self.answer(200, pb.FileUploadResponse(multipart_url=urls))

    def model_done(self, identity: str) -> None:
        assert pb.FileMultipartUploadComplete.FromString(self.body).etags
        self.created(identity)

    def model(self, identity: str) -> None:
        if identity not in self.stored or self.scenario.get("forgot_models"):
            self.answer(404, b'{"detail": "no such model"}')
            return
        model = pb.Model(model_id=identity, name="model", model_type=pb.MODEL_TYPE_ONNX)
        model.creation_time.GetCurrentTime()
        self.answer(200, model)

    def new_dataset(self) -> None:
        self.created(f"d{len(self.stored)}")

    def dataset_url(self, identity: str) -> None:
        url = pb.FileUploadURL(url=self.here(identity), file_field_name="file")
        self.answer(200, pb.FileUploadResponse(url=url))

    def dataset_done(self, identity: str) -> None:
        self.created(identity)

    def dataset(self, identity: str) -> None:
        dataset = pb.Dataset(dataset_id=identity, name="outputs", permanent=True)
        dataset.creation_time.GetCurrentTime()
        self.answer(200, dataset)

    def dataset_file(self, identity: str) -> None:
        url = pb.FileDownloadURL(url=self.here(identity), filename="dataset.h5")
        self.answer(200, pb.FileDownloadResponse(url=url))

    def new_job(self) -> None:
        job = pb.Job.FromString(self.body).inference_job
        assert job.is_profiling_on
        assert self.stored[job.model.model_id]
        with h5py.File(io.BytesIO(self.stored[job.dataset.dataset_id])) as content:
            inputs = h5_to_dataset_entries(content)
        record = {"options": job.options, "inputs": {n: v[0].shape for n, v in inputs.items()}}
        SCENARIO.with_suffix(".job").write_text(json.dumps(record))
        identity = f"j{len(self.jobs) + 1}"
        self.jobs[identity] = [job, list(self.scenario["states"])]
        self.created(identity)

    def job(self, identity: str) -> None:
        if identity not in self.jobs:
            self.answer(404, b"no such job")
            return
        message, states = self.jobs[identity]
        state = states.pop(0) if len(states) > 1 else states[0]
        found = pb.Job(hub_version="aihub-2026.11.1")
        found.inference_job.CopyFrom(message)
        found.inference_job.inference_job_id = identity
        found.inference_job.creation_time.GetCurrentTime()
        found.inference_job.job_state = STATES[state]
        if state == "FAILED":
            found.inference_job.failure_reason = self.scenario["reason"]
        self.answer(200, found)

    def result(self, identity: str) -> None:
        self.stored["out"] = self.outputs()
        found = pb.JobResult()
        found.inference_job_result.output_dataset_id = "out"
        profile = self.scenario["profile"]
        detail = found.inference_job_result.detail
        detail.major_version, detail.minor_version = 1, 2
        detail.execution_time = min(profile["times"])
        detail.all_execution_times.extend(profile["times"])
        detail.cold_load_time, detail.warm_load_time = profile["load"], profile["load"] // 2
        detail.execution_memory.peak.lower = profile["memory"] // 2
        detail.execution_memory.peak.upper = profile["memory"]
        for name, kind, unit, time in profile["layers"]:
            layer = detail.layer_details.add(
                name=name, layer_type_name=kind, compute_unit=UNITS[unit]
            )
            layer.execution_time = time
        self.answer(200, found)

    def outputs(self) -> bytes:
        with np.load(self.scenario["outputs"], allow_pickle=False) as content:
            arrays = {f"output_{name}": [content[name]] for name in content.files}
        file = io.BytesIO()
        with h5py.File(file, "w") as written:
            dataset_entries_to_h5(arrays, written)
        return file.getvalue()


ROUTES = {
    "GET devices": Handler.devices,
    "POST models": Handler.new_model,
    "GET models/([^/]+)/multipart_upload": Handler.model_urls,
    "POST models/([^/]+)/multipart_upload": Handler.model_done,
    "GET models/([^/]+)": Handler.model,
    "POST datasets": Handler.new_dataset,
    "GET datasets/([^/]+)/upload_url": Handler.dataset_url,
    "PATCH datasets/([^/]+)": Handler.dataset_done,
    "GET datasets/([^/]+)": Handler.dataset,
    "GET datasets/([^/]+)/download_data": Handler.dataset_file,
    "POST jobs": Handler.new_job,
    "GET jobs/([^/]+)": Handler.job,
    "GET jobs/([^/]+)/result": Handler.result,
}


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
