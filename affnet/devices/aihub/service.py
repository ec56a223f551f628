"""Talks to Qualcomm AI Hub for the process that started this one.

It runs in the environment of the ``qai-hub`` client and imports nothing of affnet.  One JSON line
on stdin says which device, and which job it is to run, if any; JSON lines on stdout say what
becomes of it.  The last has ``done`` or ``error``: the kind of error, and what the client said.
Sentences are made by whoever started this, `affnet.devices.aihub.hub`.

It ends with stdin, so also when whoever waits there is killed.  The token is the client's own
business: it reads it from its own configuration, and nothing here asks for it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

OLDEST = (0, 56)  # of qai-hub: its first version that profiles in an inference job
_MISSING_FIELDS = 1000  # the client's own status of a configuration without a token

Say = Callable[[dict[str, Any]], None]


class RefusedError(Exception):
    """What ends a request: one of the kinds of errors, and what belongs to it."""

    def __init__(self, kind: str, said: str = "", **more: Any) -> None:
        super().__init__(kind)
        self.event = {"error": kind, "said": said, **more}


def load_client() -> tuple[Any, str]:
    """Return the client's package and its version."""
    try:
        hub = importlib.import_module("qai_hub")
    except ImportError as error:
        raise RefusedError("no-client", str(error)) from error
    version = str(hub.__version__)
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST:
        raise RefusedError("old-client", version)
    return hub, version


class Request:
    """One request, and how far it has come."""

    def __init__(self, hub: Any, say: Say) -> None:
        self._hub = hub
        self._client = hub.Client()
        self._say = say
        self.phase = "asking"

    def quieten(self) -> None:
        """Let the client print no progress, whatever its configuration says."""
        self._client.set_verbose(False)

    def find(self, name: str, system: str) -> Any:
        """Return the device, or refuse with the names of those that there are."""
        if found := self._client.get_devices(name, system):
            return found[-1]
        every = self._client.get_devices()
        raise RefusedError(
            "device",
            names=sorted({device.name for device in every}),
            systems=sorted({device.os for device in every if device.name == name}),
        )

    def run(self, job: dict[str, Any], name: str, system: str) -> dict[str, Any]:
        """Have a job measured, one that was submitted before if it is still there."""
        running = self._submitted(job) or self._submit(job, self._hub.Device(name, system))
        self._say({"submitted": {"id": running.job_id, "url": running.url}})
        self.phase = "waiting"
        status, last = running.get_status(), ""
        while not status.finished:
            if status.code != last:
                self._say({"state": status.code})
                last = status.code
            time.sleep(job["poll_s"])
            status = running.get_status()
        if not status.success:
            self._say({"ended": running.job_id})
            raise RefusedError("job", str(status.message or ""), url=running.url)
        self.phase = "fetching"
        running = self._client.get_job(running.job_id)  # only now it says all of itself
        return {
            "profile": running.download_profile(),
            "outputs": self._fetch_outputs(running, job["outputs"]),
            "device": describe(running.device),
            "version": str(running.hub_version),
        }

    def _submitted(self, job: dict[str, Any]) -> Any | None:
        """Return the job that an earlier run submitted, if it is still there."""
        return job["job_id"] and self._unless_gone(lambda: self._client.get_job(job["job_id"]))

    def _submit(self, job: dict[str, Any], device: Any) -> Any:
        model = job["model_id"] and self._unless_gone(
            lambda: self._client.get_model(job["model_id"])
        )
        if not model:
            self.phase = "uploading"
            self._say({"uploading": Path(job["model"]).stat().st_size})
            model = self._client.upload_model(job["model"], name=job["name"])
            self._say({"uploaded": model.model_id})
        self.phase = "submitting"
        return self._client.submit_inference_job(
            model,
            device=device,
            inputs=read_arrays(job["inputs"], job["input_names"]),
            name=job["name"],
            options=job["options"],
            retry=False,  # who waits for how long is said by whoever started this
            profile=True,
        )

    def _unless_gone(self, get: Callable[[], Any]) -> Any | None:
        """Return what has an id; None where it was deleted, or belongs to another account."""
        try:
            return get()
        except self._hub.UserError as error:
            if status_of(error) not in (403, 404):
                raise
            return None

    def _fetch_outputs(self, running: Any, path: str) -> int:
        """Keep the outputs in a file, by their order; return how many there are."""
        import numpy as np

        entries = running.download_output_data() or {}
        arrays = [values[0] for values in entries.values()]
        np.savez(path, **{str(index): array for index, array in enumerate(arrays)})
        return len(arrays)


def read_arrays(path: str, names: list[str]) -> dict[str, list[Any]]:
    """Return the inputs as a dataset of one sample, in their order."""
    import numpy as np

    with np.load(path, allow_pickle=False) as content:
        return {name: [content[str(index)]] for index, name in enumerate(names)}


def describe(device: Any) -> dict[str, Any]:
    """Return what is known of a device."""
    return {"name": device.name, "os": device.os, "attributes": list(device.attributes)}


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, what it was raised for, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def status_of(error: BaseException) -> int | None:
    """Return the status of the answer that an error of the client stands for."""
    found = (getattr(cause, "status_code", None) for cause in causes(error))
    return next((status for status in found if isinstance(status, int)), None)


def plain(text: str) -> str:
    """Return a text without the box that the client draws around some."""
    if "┌" in text:
        text = re.sub(r"[┌┐└┘─|]+", " ", text)
    return " ".join(text.split())


def kind_of(hub: Any, error: Exception, phase: str) -> str:
    """Return which kind of error it is."""
    status = status_of(error)
    unread = phase == "asking" and any(isinstance(one, FileNotFoundError) for one in causes(error))
    if unread or status == _MISSING_FIELDS:
        return "no-token"
    if status == 401:
        return "token"
    if status in (402, 429):
        return "quota"
    if phase == "uploading":
        return "upload"
    if isinstance(error, hub.InternalError):
        return "unreachable"
    return "refused"


def answer(request: dict[str, Any], say: Say) -> None:
    """Do what a request says."""
    hub, version = load_client()
    work = Request(hub, say)
    try:
        work.quieten()
        found = work.find(request["device"], request["os"])
        say({"found": {**describe(found), "client": version}})
        if request["job"] is not None:
            say({"done": work.run(request["job"], request["device"], request["os"])})
    except RefusedError:
        raise
    except Exception as error:  # the client raises what the libraries below it raise
        raise RefusedError(kind_of(hub, error, work.phase), plain(str(error))) from error


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    """Answer the one request on stdin."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started this
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")

    def say(event: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(event), file=lines, flush=True)

    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    with contextlib.redirect_stdout(sys.stderr):  # the client prints
        try:
            answer(request, say)
        except RefusedError as error:
            say(error.event)
    lines.close()
    os._exit(0)  # the thread still reads


if __name__ == "__main__":
    main()
