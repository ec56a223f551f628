"""Real workers in processes of their own, one of which is killed while it measures."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from affnet.artifact import Artifact, manifest_path
from affnet.bench.budgets.verdicts import ANALYSES
from affnet.bench.measurement.batches import Batch
from affnet.bench.measurement.groups import GROUP
from affnet.bench.measurement.interleaved import Job
from affnet.bench.measurement.on_cluster import measure_batches_on_cluster
from affnet.bench.measurement.protocol import Protocol
from affnet.bench.store.database import Query, Store
from affnet.cluster.lab import lab_devices, offers
from affnet.commands import bench_mixers, bench_zoo
from affnet.commands.cluster_client import about_this_client
from affnet.devices.device_lock import FOLDER_VARIABLE
from affnet.files import content_sha256
from affnet.processes import module_environment
from tests.bench.fakes import an_artifact
from tests.cluster.conftest import a_worker, fake, pictures_of_digits

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
    with Store(str(store)) as opened:
        assert len(opened.find(Query())) == 1


def scheduler_is_idle(address: str) -> bool:
    from affnet.cluster.connection import connected

    with connected(address) as client:
        return not any(client.processing().values())


def test_a_command_line_with_a_cluster(
    scheduler: str,
    tmp_path: Path,
    run: Callable[..., Any],
    digits_onnx: Artifact,
    monkeypatch: pytest.MonkeyPatch,
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
    assert run("worker", "--device", "host").error.startswith("There is no cluster to serve")
    (tmp_path / "affnet.toml").write_text('[cluster]\nscheduler = "tcp://lab:8786"\n')
    monkeypatch.chdir(tmp_path)
    (tmp_path / "budgets.toml").write_text('[[budget]]\nmodel = "digits"\nat_most = "9 s"\n')
    for command in (
        "worker",
        "jobs",
        "bench digits",
        "bench zoo",
        "bench mixers",
        "check",
        "export digits --format onnx,torch",
    ):
        refused = run(*command.split())
        assert refused.error.startswith("tcp://lab:8786 is not encrypted"), command


def whole(name: str, folder: Path) -> Artifact:
    """An artifact whose manifest travels with it."""
    made = an_artifact(name, folder)
    made = made.with_manifest(sha256=content_sha256(made.path))
    manifest_path(made.path).write_text(made.manifest.to_json())
    return made


def test_the_zoo_and_mixers_are_measured_on_a_device_of_the_lab(
    scheduler: str,
    tmp_path: Path,
    run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each group and each size of maps is a job; what they export is no matter here."""
    names = ["mobilevit_xxs", *(f"net{number}" for number in range(GROUP)), "last"]

    def export(name: str, _: int, size: tuple[int, int], *__: object) -> Artifact | str:
        label = f"{name}-{size[0]}"
        return whole(label, tmp_path) if name != "gfnet" else "no such thing."

    artifacts = [whole(name, tmp_path) for name in names]
    monkeypatch.setattr(bench_zoo, "_export", lambda *_: (artifacts, []))
    monkeypatch.setattr(bench_mixers, "_exporter", lambda: export)
    store, given = tmp_path / "s.db", ("--cluster", scheduler, "--device", "sim", "--json")
    with a_worker(scheduler, tmp_path, fake("sim")):
        zoo = run("bench", "zoo", *given, "--store", store)
        assert zoo.code == 0, zoo.err
        assert [result["model"] for result in zoo.json["results"]] == names
        assert {result["peer"] for result in zoo.json["results"]} == {names[0]}
        mixers = run("bench", "mixers", "--mixers", "pool,gfnet", "--sizes", "8,16", *given)
        assert mixers.code == 0, mixers.err
        assert [(one["mixer"], one["tokens"]) for one in mixers.json["results"]] == [
            ("aff", 64), ("pool", 64), ("aff", 256), ("pool", 256),
        ]  # fmt: skip
        assert all(one["ratio_to_peer"] for one in mixers.json["results"])
        missing = run("bench", "zoo", "--cluster", scheduler, "--device", "sim-2")
        assert (missing.code, missing.error) == (
            2,
            "Unknown device of the cluster 'sim-2'; valid: sim.",
        )
    with Store(str(store)) as opened:  # the reference stands in both groups
        assert sorted(r.model for r in opened.find(Query())) == sorted([*names, names[0]])


def test_budgets_are_checked_on_a_device_of_the_lab(
    scheduler: str, tmp_path: Path, run: Callable[..., Any], digits_onnx: Artifact
) -> None:
    """A baseline of half the work: the same verdict as here, and nobody knows the modules."""
    before = tmp_path / "before"
    before.mkdir()
    shutil.copy(digits_onnx.path, before)
    faster = Artifact(before / digits_onnx.path.name, digits_onnx.manifest).with_manifest(macs=1)
    manifest_path(faster.path).write_text(faster.manifest.to_json())
    budgets = tmp_path / "budgets.toml"
    budget = f'[[budget]]\nmodel = "{digits_onnx.path}"\ndevice = "sim"\nat_most = '
    budgets.write_text(f'{budget}"+50 %"\n{budget}"9 s"\n')
    store, given = tmp_path / "s.db", ("check", "--budgets", budgets, "--baseline", before)
    there = ("--cluster", scheduler)
    with a_worker(scheduler, tmp_path, fake("sim")):
        done = run(*given, *there, "--store", store, "--json")
        assert [one["verdict"] for one in done.json["budgets"]] == ["FAIL", "PASS"], done.err
        assert done.code == 1
        assert "sim does not report the times of operators" in done.json["budgets"][0]["reason"]
        assert run(*given, *there, "--calibrate").error.startswith("--calibrate is for devices of")
        budgets.write_text(budgets.read_text().replace('"sim"', '"sim-2"'))
        missing = run(*given, *there)
    assert (missing.code, missing.error) == (
        2,
        f"{budgets}, line 2: Unknown device of the cluster 'sim-2'; valid: sim.",
    )
    with Store(str(store)) as opened:
        assert len(opened.find(Query())) == 2 * ANALYSES[0]


def test_a_zoo_that_a_client_left_is_taken_up_with_its_ratios(
    scheduler: str, client: Any, tmp_path: Path, run: Callable[..., Any]
) -> None:
    """The reference stands in both groups."""
    reference, one, two = (
        Job(name, whole(name, tmp_path), "onnxruntime") for name in ("ref", "one", "two")
    )
    batches = [Batch("first", [reference, one]), Batch("second", [reference, two])]
    protocol = Protocol("test", min_runs=20, min_seconds=0.0, block_seconds=0.001)

    class LeftError(Exception):
        pass

    def leave(_: object) -> None:
        raise LeftError

    with a_worker(scheduler, tmp_path, fake("sim")):
        (place,) = lab_devices(offers(client), "sim")
        about = about_this_client("bench zoo", peer="ref")
        with pytest.raises(LeftError):
            list(
                measure_batches_on_cluster(
                    client, batches, place, protocol, about, threads=1, keep=leave
                )
            )
        ((name, command),) = [
            (one["run"], one["command"])
            for one in run("jobs", "--cluster", scheduler, "--json").json["runs"]
        ]
        assert command == "bench zoo"
        done = run("jobs", name, "--cluster", scheduler, "--store", tmp_path / "s.db", "--json")
    assert done.code == 0, done.err
    results = done.json["results"]
    assert [result["model"] for result in results] == ["ref", "one", "ref", "two"]
    assert [result["peer"] for result in results] == ["ref"] * 4
    with Store(str(tmp_path / "s.db")) as opened:
        assert len(opened.find(Query())) == 4


@pytest.mark.exhaustive
def test_formats_are_exported_by_workers(
    scheduler: str,
    tmp_path: Path,
    run: Callable[..., Any],
    digits_pt2: Artifact,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their files name what they were made from as this machine's would; errors keep their code."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets").mkdir()
    shutil.copy(digits_pt2.path, "nets/net.pt2")
    monkeypatch.setenv("AFFNET_CLUSTER", scheduler)
    given = ("export", "nets/net.pt2", "--format", "onnx,torch")
    with a_worker(scheduler, tmp_path, slots=2):
        done = run(*given, "-o", "there", "--json")
        failed = run(*given, "--dynamic", "batch", "--json")
        code = run("export", "tests.tiny:with_image", "--format", "onnx,torch")
        proven = run(*given, "--prove-on", "arm64")
    assert done.code == 0, done.err
    made = [Path(one["artifact"]) for one in done.json["results"]]
    assert made == [tmp_path / "there" / name for name in ("net.onnx", "net.pt2")]
    assert all(Artifact.open(p).manifest.provenance.location == "nets/net.pt2" for p in made)
    assert len(list(Path("there").iterdir())) == 4
    assert (failed.code, [one["exit_code"] for one in failed.json["results"]]) == (1, [2, 2])
    assert code.error.startswith("tests.tiny:with_image is code of this machine")
    assert proven.error.startswith("--prove-on runs files on devices of this machine")
    one = run("export", "nets/net.pt2", "--cluster", scheduler)
    assert (one.code, one.error.split(",")[0]) == (2, "--cluster exports several files at once")


def test_a_shared_evaluation_gives_what_one_machine_gives(
    scheduler: str, tmp_path: Path, run: Callable[..., Any], digits_onnx: Artifact
) -> None:
    """One image cannot be decoded: batches, and so numbers, are those of the whole."""
    folder = pictures_of_digits(tmp_path / "digits", 2)
    given = ("eval", digits_onnx.path, "--data", folder, "--json")
    alone = run(*given).json
    with a_worker(scheduler, tmp_path, slots=4):
        shared = run(*given, "--cluster", scheduler)
        assert shared.code == 0, shared.err
        refused = run(*given, "--cluster", scheduler, "--record")
        assert refused.error.startswith("--cluster is for the top-1 and top-5")
    for key in (
        "top1",
        "top1_interval",
        "top5",
        "top5_interval",
        "images",
        "skipped",
        "fingerprint",
    ):
        assert shared.json[key] == alone[key], key
    assert alone["images"] == 19
