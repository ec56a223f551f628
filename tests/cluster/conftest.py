"""A real scheduler on loopback, and workers of it in threads of this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

distributed = pytest.importorskip(
    "distributed", reason="not installed: pip install affnet[cluster]"
)

from affnet.cluster import run as cluster_run  # noqa: E402
from affnet.cluster.connection import connected, silence  # noqa: E402
from affnet.cluster.site import Site  # noqa: E402
from affnet.cluster.worker import _serve  # noqa: E402
from affnet.devices.catalog import Entry  # noqa: E402

PACKAGES = {"onnxruntime": "1"}


@contextmanager
def in_a_loop(work: Callable[[], Any], ready: Callable[[], bool]) -> Iterator[None]:
    """Run a coroutine in a thread until the context ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    future: Future[Any] = asyncio.run_coroutine_threadsafe(work(), loop)
    pause = threading.Event()
    while not ready() and not future.done():
        pause.wait(0.02)
    if future.done():
        future.result()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])
        with pytest.MonkeyPatch.context():
            while not future.done():
                pause.wait(0.02)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a scheduler without any worker."""
    silence()
    found: list[Any] = []

    async def serve() -> None:
        async with distributed.Scheduler(
            host="127.0.0.1", port=0, dashboard=False, dashboard_address="127.0.0.1:0"
        ) as one:
            found.append(one)
            await one.finished()

    with in_a_loop(serve, lambda: bool(found)):
        yield found[0].address


@contextmanager
def a_worker(address: str, folder: Path, *devices: Entry, slots: int = 0) -> Iterator[list[str]]:
    """Serve devices; yield what it says."""
    said: list[str] = []
    site = Site(devices, PACKAGES)
    names = [entry.name for entry in devices]

    def work() -> Any:
        return _serve(address, site, names, slots, said.append, str(folder))

    with in_a_loop(work, lambda: any("Serving" in line for line in said)):
        yield said


@pytest.fixture
def client(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(cluster_run, "_LOOK_S", 0.1)
    monkeypatch.setattr(cluster_run, "_GONE_S", 0.5)
    with connected(scheduler) as one:
        yield one


def fake(name: str, **settings: Any) -> Entry:
    """An entry of the catalog."""
    return Entry(name, "fake", settings)


def pictures_of_digits(folder: Path, each: int) -> Path:
    """Write so many pictures of each of ten classes, one of which cannot be decoded."""
    for label in range(10):
        (folder / str(label)).mkdir(parents=True)
        for number in range(each):
            pixels = np.full((32, 32, 3), 25 * label + 3 * number, np.uint8)
            Image.fromarray(pixels).save(folder / str(label) / f"{number}.png")
    (folder / "0" / "1.png").write_bytes(b"no picture")
    return folder
