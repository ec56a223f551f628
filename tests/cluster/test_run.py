"""Jobs on a real scheduler with workers on loopback: what comes back, and what is lost."""

from __future__ import annotations

import platform
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from affnet.cluster import parcels, tasks
from affnet.cluster.lab import check_offers, differences, offers, table
from affnet.cluster.parcels import Parcel
from affnet.cluster.run import Job, Run, runs
from affnet.cluster.tasks import Surroundings
from affnet.errors import AffnetError, MissingError, UnknownNameError, UnreachableError, UsageError
from tests.cluster.conftest import PACKAGES, a_worker, fake

# sockets that Dask leaves to the garbage collector
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
gate = threading.Event()


def answer(payload: Mapping[str, Any], around: Surroundings) -> Any:
    """A task of these tests, which run in the same process as their workers."""
    if payload.get("waits"):
        around.show("waiting")
        assert gate.wait(10)
    if "fails" in payload:
        raise UsageError(payload["fails"], "do better.")
    if "lacks" in payload:
        raise MissingError(payload["lacks"], "install it.")
    if payload.get("breaks"):
        raise ZeroDivisionError("division by zero")
    found = {path.name: path.read_bytes() for path in sorted(around.folder.glob("*/*"))}
    return {"said": payload["say"], "found": found}


@pytest.fixture(autouse=True)
def the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    gate.clear()
    monkeypatch.setitem(tasks.TASKS, "answer", f"{__name__}:answer")


def finish(run: Run, said: list[str] | None = None) -> dict[int, Any]:
    found: dict[int, Any] = {}

    def done(number: int, value: Any, error: AffnetError | None) -> None:
        assert number not in found
        found[number] = error or value["said"]

    run.finish((said if said is not None else []).append, done)
    return found


def job(say: Any, device: str | None = "x", **more: Any) -> Job:
    return Job(f"job {say}", "answer", {"say": say, **more}, device)


def test_jobs_come_back_from_the_devices_they_name(
    scheduler: str, client: Any, tmp_path: Path
) -> None:
    with a_worker(scheduler, tmp_path, fake("x"), fake("y"), slots=1):
        found = finish(Run(client, [job(1), job(2, "y"), job(3, None), job(4)], {}))
    assert found == {0: 1, 1: 2, 2: 3, 3: 4}
    assert runs(client) == []


def test_an_error_comes_back_in_its_class_and_leaves_the_others_alone(
    scheduler: str, client: Any, tmp_path: Path
) -> None:
    jobs = [job(1, fails="no such thing"), job(2), job(3, breaks=True)]
    with a_worker(scheduler, tmp_path, fake("x")):
        found = finish(Run(client, jobs, {}))
    assert isinstance(found[0], UsageError)
    assert str(found[0]) == "no such thing; do better."
    assert found[1] == 2
    assert str(found[2]) == "A worker failed at job 3: ZeroDivisionError: division by zero"


def test_what_a_worker_lacks_is_said_with_the_name_of_its_host(
    scheduler: str, client: Any, tmp_path: Path
) -> None:
    with a_worker(scheduler, tmp_path, fake("x")):
        (error,) = finish(Run(client, [job(1, lacks="There is no litert")], {})).values()
    assert isinstance(error, MissingError)
    assert (error.problem, error.remedy) == (
        f"On {platform.node()}: There is no litert",
        "install it.",
    )
    assert str(error) == f"{error.problem}; {error.remedy}"


def test_files_travel_once_to_a_host_and_are_known_by_their_content(
    scheduler: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    original = client.run

    def run(function: Any, first: Any, *rest: Any, **options: Any) -> Any:
        if function is parcels.keep:
            sent.append(first)
        return original(function, first, *rest, **options)

    monkeypatch.setattr(client, "run", run)
    (tmp_path / "net.onnx").write_bytes(b"weights")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "net.onnx").write_bytes(b"weights")
    first, same = (Parcel.of([folder / "net.onnx"]) for folder in (tmp_path, tmp_path / "copy"))
    assert first.key == same.key
    jobs = [
        Job("j", "answer", {"say": 1}, device, (parcel,))
        for device in "xy"
        for parcel in (first, same)
    ]
    found: list[Any] = []
    with a_worker(scheduler, tmp_path, fake("x"), fake("y")):
        Run(client, jobs, {}).finish(lambda _: None, lambda _, v, e: found.append(e or v["found"]))
    assert found == [{"net.onnx": b"weights"}] * 4
    assert sent == [first.key]


def test_a_run_that_its_client_left_is_taken_up_by_another(
    scheduler: str, client: Any, tmp_path: Path
) -> None:
    class LeftError(Exception):
        pass

    def leave(*_: object) -> None:
        raise LeftError

    with a_worker(scheduler, tmp_path, fake("x")):
        run = Run(client, [job(1), job(2, waits=True)], {"command": "bench"})
        with pytest.raises(LeftError):
            run.finish(lambda _: None, leave)
        assert runs(client) == [run.name]
        taken = Run.taken_up(client, run.name)
        assert (taken.about["command"], len(taken.jobs), taken.ended()) == ("bench", 2, 1)
        gate.set()
        assert finish(taken) == {0: 1, 1: 2}
        assert runs(client) == []


def test_a_device_that_has_gone_ends_its_jobs_with_a_sentence(
    scheduler: str, client: Any, tmp_path: Path
) -> None:
    with a_worker(scheduler, tmp_path, fake("y")):
        found = finish(Run(client, [job(1, "x"), job(2, "y")], {}))
    assert found[1] == 2
    assert str(found[0]) == (
        "The worker of x has gone, and no other has a device of that name; start it again: "
        "affnet worker --cluster ADDRESS"
    )


def test_a_lab_says_what_it_has(scheduler: str, client: Any, tmp_path: Path) -> None:
    with a_worker(scheduler, tmp_path, fake("x", description="first"), slots=2):
        found = offers(client)
        rows = table(found).rows
        assert [(row[0], row[1], row[4], row[5]) for row in rows] == [
            ("x", "fake", "idle", "first"),
            ("(computes)", "-", "idle", ""),
        ]
        with pytest.raises(UnknownNameError, match="device of the cluster 'z'; valid: x"):
            check_offers(found, ["z"], computes=False)
        assert differences(found, PACKAGES, lambda _: True) == []
        (sentence,) = differences(found, {"onnxruntime": "2"}, lambda _: True)
        assert sentence.endswith("other versions than this machine: onnxruntime 1 (here 2).")


def test_another_affnet_and_no_workers_are_refused_before_work(
    scheduler: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnreachableError, match="no workers"):
        check_offers([], [], computes=False)
    with a_worker(scheduler, tmp_path, fake("x")):
        found = offers(client)
        with pytest.raises(UnreachableError, match="computes"):
            check_offers(found, [], computes=True)
        monkeypatch.setattr("affnet.cluster.lab.__version__", "9.9")
        with pytest.raises(MissingError, match=r"pip install affnet==9.9"):
            check_offers(found, ["x"], computes=False)


def test_names_of_files_lead_nowhere_else(tmp_path: Path) -> None:
    for name in ("../x", "/x", "a/../../x", ""):
        with pytest.raises(AffnetError, match="leads elsewhere"):
            parcels.write_files({name: b""}, tmp_path)
