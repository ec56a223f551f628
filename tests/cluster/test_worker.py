"""Real workers in processes of their own, one of which is killed while it measures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from affnet.artifact import Artifact
from affnet.devices.device_lock import FOLDER_VARIABLE
from affnet.processes import module_environment
from tests.cluster.conftest import a_worker, fake

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@contextmanager
def a_process(address: str, folder: Path, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Start ``affnet worker`` as on a host of its own, with a device that takes some time."""
    folder.mkdir()
    catalog = folder / "lab.toml"
    catalog.write_text(f'[sim]\nkind = "fake"\nsession_seconds = {seconds:.1f}\n')
    command = [sys.executable, "-m", "affnet.cli", "worker", "--cluster", address, "--slots", "0"]
    with subprocess.Popen(
        [*command, "--device", "sim", "--devices-file", str(catalog)],
        stderr=subprocess.PIPE,
        text=True,
        env={**module_environment(), FOLDER_VARIABLE: str(folder)},
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith(f"Serving {address} with sim")
        yield process
        process.kill()


def test_a_killed_worker_loses_only_its_job_which_another_does(
    scheduler: str, tmp_path: Path, run: Callable[..., Any], digits_onnx: Artifact
) -> None:
    with a_process(scheduler, tmp_path / "a", 600.0) as first:
        found: list[Any] = []
        store = tmp_path / "s.db"
        arguments = ("--cluster", scheduler, "--device", "sim", "--preset", "quick")
        bench = threading.Thread(
            target=lambda: found.append(
                run("bench", digits_onnx.path, *arguments, "--store", store, "--json")
            )
        )
        bench.start()
        while scheduler_is_idle(scheduler):
            bench.join(0.1)
        with a_process(scheduler, tmp_path / "b", 0.0):
            first.send_signal(signal.SIGKILL)
            bench.join(60)
    (done,) = found
    assert done.code == 0, done.err
    (result,) = done.json["results"]
    assert (result["device"], result["artifact"]) == ("sim", str(digits_onnx.path))
    from affnet.bench.store.database import Query, Store

    with Store(str(store)) as opened:
        assert len(opened.find(Query())) == 1


def scheduler_is_idle(address: str) -> bool:
    from affnet.cluster.connection import connected

    with connected(address) as client:
        return not any(client.processing().values())


def test_a_command_line_with_a_cluster(
    scheduler: str, tmp_path: Path, run: Callable[..., Any], digits_onnx: Artifact
) -> None:
    bench = ("bench", digits_onnx.path, "--cluster", scheduler, "--preset", "quick")
    with a_worker(scheduler, tmp_path, fake("sim-1"), fake("sim-2")):
        listed = run("devices", "--cluster", scheduler, "--json").json["devices"]
        assert [(one["device"], one["kind"]) for one in listed] == [
            ("sim-1", "fake"),
            ("sim-2", "fake"),
        ]
        done = run(*bench, "--device", "sim-2,sim-1", "--json")
        assert [result["device"] for result in done.json["results"]] == ["sim-2", "sim-1"]
        wrong = run(*bench, "--device", "sim-3")
        assert wrong.code == 2
        assert wrong.error == "Unknown device of the cluster 'sim-3'; valid: sim-1, sim-2."
        dry = run(*bench, "--device", "sim-1", "--dry-run")
        assert (dry.code, "--dry-run is for devices of this machine" in dry.error) == (2, True)
        assert run("jobs", "--cluster", scheduler, "--json").json["runs"] == []
        nothing = run("jobs", "abc", "--cluster", scheduler)
        assert nothing.error == "Unknown run 'abc'; valid: none."
    assert run("worker", "--device", "host").code == 2
    assert os.environ.get("AFFNET_CLUSTER") is None
