"""What the double plays, and its log; not a part of coremltools."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

_PATH = Path(os.environ["COREMLTOOLS_DOUBLE"])
SCENARIO: dict[str, Any] = json.loads(_PATH.read_text())
_calls: dict[str, int] = {}


def log(event: str, **details: Any) -> None:
    with _PATH.with_suffix(".log").open("a") as file:
        file.write(json.dumps({"event": event, **details}) + "\n")


class CtlError(Exception):
    """As coremltools raises for devicectl, with its output as bytes, and for the model runner."""

    def __init__(self, message: Any, error_code: int | None = None) -> None:
        self.message = message
        self.error_code = error_code
        super().__init__(message)


class BuildError(Exception):
    """As coremltools raises for xcodebuild, whose output it loses."""

    def __init__(self, message: Any, error_code: int | None = None) -> None:
        self.message = message
        super().__init__(message)


def play(step: str, session: Any = None) -> None:
    """Fail at a step, if that is what the scenario says, from its n-th call on."""
    _calls[step] = _calls.get(step, 0) + 1
    fault = SCENARIO.get("faults", {}).get(step)
    if fault is None or _calls[step] < fault.get("from_call", 1):
        return
    kind, text = fault["kind"], fault.get("text", "")
    if kind == "hang":
        log("hangs", step=step)
        time.sleep(1000)
    if kind == "crash":
        os.abort()
    if kind == "lost":
        session.stop()
        session.process.wait()
        raise CtlError(text.encode(), 1)
    if kind == "devicectl":
        raise CtlError(text.encode(), 1)
    if kind == "runner":
        raise CtlError(text, -32603)
    if kind == "xcodebuild":
        try:
            raise subprocess.CalledProcessError(65, "xcodebuild", output=text.encode())
        except subprocess.CalledProcessError as error:
            raise BuildError(error.stderr, error.returncode)  # noqa: B904 - as coremltools does
    raise ValueError(text)
