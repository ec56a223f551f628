"""From the file of a picture to an answer in a page: by the code that packages for the web have."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from affnet.artifact import Artifact
from affnet.devices.browser.npm_packages import PACKAGES, installed_folder, versions
from affnet.devices.worker.channel import ANSWER_TIMEOUT_S, RemoteProcess
from affnet.errors import MissingError
from affnet.files import scratch_folder
from affnet.processes import TooMuchOutputError, run_bounded
from affnet.templates.contract import contract_of
from affnet.templates.render import render_folder

_MODEL = "model"  # what the page's server calls the file
_TIMEOUT_S = 120.0
_OPTIONS = ("--bundle", "--format=esm", "--target=es2022", "--log-level=error")


class PageProcess(RemoteProcess):
    """A measuring page; its pipeline is what `affnet package --for web` gives an app."""

    def begin_pipeline(self, artifact: Artifact, picture: bytes) -> None:
        """See `affnet.devices.base.PipelineProcess.begin_pipeline`.

        Raises:
            AffnetError: as `contract_of` and `code_of`.
        """
        request = {
            "command": "pipeline",
            "code": code_of(artifact, self._runtime),
            "task": artifact.manifest.task,
            "picture": base64.b64encode(picture).decode(),
        }
        self._ask(request, ("stages",), ANSWER_TIMEOUT_S)


def code_of(artifact: Artifact, runtime: str) -> str:
    """Return the module of a package for the web, which runs the network that the page has.

    Raises:
        UsageError, LabelsError: packages do not take the artifact.
        MissingError: node is not installed, or does not build it.
    """
    contract = contract_of(artifact, runtime, PACKAGES[runtime], versions()[runtime], threads=1)
    record = contract.to_record()
    record["model"] = {**record["model"], "file": _MODEL}
    with scratch_folder() as source:
        for part in ("common", contract.task, "measured"):
            render_folder(f"web/{part}/src", source, {"name": contract.name})
        (source / "contract.json").write_text(json.dumps(record), encoding="utf-8")
        return _bundled(source / "index.ts")


def _bundled(entry: Path) -> str:
    command = [str(installed_folder() / ".bin" / "esbuild"), str(entry), *_OPTIONS]
    try:
        code, out, err = run_bounded(command, _TIMEOUT_S)
    except (OSError, TimeoutError, TooMuchOutputError) as error:
        code, out, err = 1, "", str(error)
    if code:
        said = next(iter(err.strip().splitlines()), f"exit code {code}")
        raise MissingError(
            f"The code of the page cannot be built: {said[:200]}",
            "install Node.js, which esbuild runs on, or run: affnet cache clear browser",
        )
    return out
