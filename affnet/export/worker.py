"""One export in a process of its own: a request on stdin, its report as JSON on stdout."""

from __future__ import annotations

import json
import sys
from contextlib import AbstractContextManager
from typing import Any

from affnet.errors import AffnetError, to_wire
from affnet.export.autotuning.plan_timing import Timer
from affnet.export.reporting.export import report_record
from affnet.export.request import ExportRequest
from affnet.export.resolve import Progress
from affnet.export.run import run
from affnet.garbage import exit_without_teardown
from affnet.installed import mismatch_behind
from affnet.silence import stdout_to_stderr


def main() -> None:
    """Serve one request."""
    request = ExportRequest.from_json(sys.stdin.read())
    with stdout_to_stderr() as stdout:
        try:
            answer = answer_to(request)
        except AffnetError as error:
            answer = {"error": to_wire(error)}
        json.dump(answer, stdout)


def answer_to(request: ExportRequest) -> dict[str, Any]:
    """Export one file; return its report as plain values.

    Raises:
        AffnetError: as `affnet.export.run.run`, and for packages whose versions do not fit.
    """
    try:
        report = run(request, _no_timer)
    except AffnetError:
        raise
    except Exception as error:
        if (reason := mismatch_behind(error)) is None:
            raise
        raise reason from error
    return {"record": report_record(report), "notes": report.notes}


def _no_timer(*_: str, progress: Progress) -> AbstractContextManager[Timer]:  # noqa: ARG001
    raise RuntimeError("several exports at once disturb measurements; the request was checked")


if __name__ == "__main__":
    exit_without_teardown(main)
