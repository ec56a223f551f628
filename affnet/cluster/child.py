"""A process for one job that computes: a request as JSON on stdin, the answer on stdout."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from affnet.cluster.tasks import COMPUTING_TASKS, error_from_here, function_of
from affnet.errors import AffnetError
from affnet.garbage import exit_without_teardown
from affnet.silence import stdout_to_stderr


def main() -> None:
    """Serve one request."""
    request = json.load(sys.stdin)
    with stdout_to_stderr() as stdout:
        try:
            task = function_of(COMPUTING_TASKS[request["task"]])
            answer = {"value": task(request["payload"], Path(request["folder"]))}
        except AffnetError as error:
            answer = {"error": error_from_here(error)}
        json.dump(answer, stdout)


if __name__ == "__main__":
    exit_without_teardown(main)
