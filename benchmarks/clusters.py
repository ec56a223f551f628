"""Do workers of a cluster share the work, what does sending a job cost, and is any lost?

It starts a Dask scheduler on loopback and `affnet worker` processes with simulated devices, whose
sessions take a set time, so that what else the machine does hardly counts::

    python -m benchmarks.clusters speed            24 jobs on one worker, then on three
    python -m benchmarks.clusters overhead         jobs that take no time, and the same without Dask
    python -m benchmarks.clusters kills            200 devices, 1,000 jobs, 20 kills of workers

The project's bars: three workers take 0.45 of the time of one at most; a job costs 50 ms at most;
no job is lost, and none is in the store twice.  ``kills`` also kills the scheduler once, and starts
it again at the same address.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from affnet.bench.measurement.interleaved import Job
from affnet.bench.measurement.on_cluster import cluster_jobs, take_outcomes
from affnet.bench.measurement.protocol import Protocol
from affnet.bench.measurement.runtimes import RuntimePlan
from affnet.bench.measurement.sweep import sweep
from affnet.bench.store.database import Query, Store
from affnet.cluster.connection import connected
from affnet.cluster.lab import LabDevice, offers
from affnet.cluster.run import Run
from affnet.devices.device_lock import FOLDER_VARIABLE
from affnet.devices.fake import FakeDevice
from affnet.export.open_or_export import open_or_export
from affnet.processes import module_environment

PROTOCOL = Protocol("cluster", min_runs=20, min_seconds=0.0, block_seconds=0.001)


class Lab:
    """A scheduler, and workers that can be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self.start_scheduler()

    def start_scheduler(self) -> None:
        """Start one at the address of the lab."""
        command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1"]
        options = ["--port", str(self.port), "--dashboard-address", "127.0.0.1:0"]
        self.scheduler = subprocess.Popen(
            [*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def start_worker(self, name: str, devices: list[str], seconds: float) -> None:
        """Start a worker as on a host of its own."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        catalog = folder / "lab.toml"
        entry = f'kind = "fake"\nsession_seconds = {seconds:.3f}\n'
        catalog.write_text("".join(f"[{device}]\n{entry}" for device in devices))
        command = [sys.executable, "-m", "affnet.cli", "worker", "--cluster", self.address]
        options = ["--device", ",".join(devices), "--devices-file", str(catalog), "--slots", "0"]
        self.workers[name] = subprocess.Popen(
            [*command, *options],
            stderr=subprocess.DEVNULL,
            env={**module_environment(), FOLDER_VARIABLE: str(folder)},
        )

    def await_devices(self, client: Any, count: int) -> list[LabDevice]:
        """Return the devices once there are so many."""
        while True:
            found = [LabDevice(offer) for offer in offers(client) if offer.device]
            if len(found) >= count:
                return found
            time.sleep(0.2)

    def close(self) -> None:
        """End all processes."""
        for process in (*self.workers.values(), self.scheduler):
            process.kill()
            process.wait()


@contextlib.contextmanager
def a_lab() -> Iterator[tuple[Lab, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder))
        try:
            yield lab, Path(folder)
        finally:
            lab.close()


@contextlib.contextmanager
def a_client(lab: Lab) -> Iterator[Any]:
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", lab.port)):
            break
        time.sleep(0.1)
    with connected(lab.address) as client:
        yield client


def jobs_on(devices: list[LabDevice], count: int, folder: Path) -> list[Any]:
    """Return so many jobs, each of a model of its own name, on the devices in turn."""
    artifact = open_or_export("digits", "onnx", None, "auto", folder, lambda _: None)
    found = []
    for number in range(count):
        device = devices[number % len(devices)]
        plan = RuntimePlan({device.name: ["onnxruntime"]}, named=True)
        job = Job(f"job-{number}", artifact, "onnxruntime")
        found += cluster_jobs(
            {"onnxruntime": [job]}, [device], plan, PROTOCOL, threads=1, overrides={}
        )
    return found


def finish(client: Any, jobs: list[Any], store: Store | None = None) -> float:
    """Return the seconds from sending the jobs to the last result."""
    started = time.monotonic()
    keep = store.add if store else lambda _: None
    found = take_outcomes(Run(client, jobs, {"command": "bench"}), lambda _: None, keep)
    for entries in found.values():
        for _, outcome in entries:
            if outcome.error:
                print(f"{outcome.device}: {outcome.error}")
    return time.monotonic() - started


def speed(arguments: argparse.Namespace) -> None:
    """One worker, then three, each with a device of the same name."""
    with a_lab() as (lab, folder), a_client(lab) as client:
        taken = {}
        for count in (1, 3):
            for number in range(len(lab.workers), count):
                lab.start_worker(f"w{number}", ["sim"], arguments.seconds)
            devices = lab.await_devices(client, count)
            taken[count] = finish(client, jobs_on(devices[:1], arguments.jobs, folder))
            print(f"{arguments.jobs} jobs on {count} worker(s): {taken[count]:.1f} s")
        print(f"ratio: {taken[3] / taken[1]:.2f} (bar: 0.45)")


def overhead(arguments: argparse.Namespace) -> None:
    """What a job takes longer on a cluster than in a loop."""
    with a_lab() as (lab, folder), a_client(lab) as client:
        lab.start_worker("w", ["sim"], 0.0)
        devices = lab.await_devices(client, 1)
        jobs = jobs_on(devices, arguments.jobs, folder)
        finish(client, jobs[:3])  # imports
        parts = {
            "client": os.getpid(),
            "scheduler": lab.scheduler.pid,
            "worker": lab.workers["w"].pid,
        }
        before = {name: cpu_seconds(pid) for name, pid in parts.items()}
        there = finish(client, jobs)
        spent = {name: cpu_seconds(pid) - before[name] for name, pid in parts.items()}
        artifact = open_or_export("digits", "onnx", None, "auto", folder, lambda _: None)
        started = time.monotonic()
        for _ in jobs:
            sweep([Job("j", artifact, "onnxruntime")], [FakeDevice()], PROTOCOL, threads=1)
        here = time.monotonic() - started
    each = 1000 * (there - here) / len(jobs)
    for name, seconds in spent.items():
        print(f"{name}: {1000 * seconds / len(jobs):.1f} ms of processor time a job")
    print(f"{len(jobs)} jobs: {there:.1f} s, in a loop {here:.1f} s; {each:.0f} ms a job (bar: 50)")


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, which other work on the machine hardly changes."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def kills(arguments: argparse.Namespace) -> None:
    """Kill workers, each of which is started again, and the scheduler once."""
    with a_lab() as (lab, folder), a_client(lab) as client, Store(str(folder / "s.db")) as store:
        per, noise = arguments.devices // arguments.hosts, random.Random(0)  # noqa: S311  # which worker is killed
        names = {
            f"w{host}": [f"sim-{host * per + number}" for number in range(per)]
            for host in range(arguments.hosts)
        }
        for name, devices in names.items():
            lab.start_worker(name, devices, arguments.seconds)
        devices = lab.await_devices(client, arguments.devices)
        print(f"{len(devices)} devices on {len(names)} workers", flush=True)
        jobs = jobs_on(devices, arguments.jobs, folder)
        ended = threading.Event()

        def disturb() -> None:
            for number in range(arguments.kills):
                if ended.wait(arguments.every):
                    print(f"only {number} kills: the jobs have ended")
                    return
                name = noise.choice(sorted(names))
                lab.workers[name].send_signal(signal.SIGKILL)
                lab.workers[name].wait()
                lab.start_worker(name, names[name], arguments.seconds)
                if number == arguments.kills // 2 and arguments.scheduler:
                    lab.scheduler.send_signal(signal.SIGKILL)
                    lab.scheduler.wait()
                    lab.start_scheduler()
            print(f"{arguments.kills} kills done")

        thread = threading.Thread(target=disturb)
        thread.start()
        seconds = finish(client, jobs, store)
        ended.set()
        thread.join()
        counted = Counter(result.model for result in store.find(Query()))
        twice = sum(count > 1 for count in counted.values())
        lost = arguments.jobs - len(counted)
        print(f"{arguments.jobs} jobs in {seconds:.0f} s: {lost} lost, {twice} twice in the store")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("speed", "overhead", "kills"))
    parser.add_argument("--jobs", type=int, help="default: 24, 200 or 1,000")
    parser.add_argument("--seconds", type=float, help="that a session takes; default: 1.0")
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--hosts", type=int, default=10, help="workers that have the devices")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--every", type=float, default=2.0, help="seconds between kills")
    parser.add_argument("--scheduler", action="store_true", help="kill the scheduler once, too")
    arguments = parser.parse_args()
    arguments.jobs = arguments.jobs or {"speed": 24, "overhead": 200, "kills": 1000}[arguments.what]
    arguments.seconds = 1.0 if arguments.seconds is None else arguments.seconds
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    {"speed": speed, "overhead": overhead, "kills": kills}[arguments.what](arguments)


if __name__ == "__main__":
    main()
