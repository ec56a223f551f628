"""A scheduler and three workers on hosts of their own, over TLS; each of them is killed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from affnet.artifact import Artifact
from affnet.bench.store.database import Query, Store
from affnet.processes import module_environment
from tests.cluster import hosts
from tests.cluster.conftest import pictures_of_digits
from tests.cluster.hosts import PORT, Hosts
from tests.devices.android.adbd import Phone
from tests.devices.android.phones import ADB, Attached
from tests.devices.ssh.sshd import start_sshd, stop_sshd

pytest.importorskip("distributed", reason="not installed: pip install affnet[cluster]")
pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(ADB is None, reason="needs the real adb client"),
    pytest.mark.skipif(not hosts.possible(), reason="needs CAP_NET_ADMIN, ip, unshare, openssl"),
]
SCHEDULER, WORKERS = 2, (3, 4, 5)
BESIDE_BOARD, BESIDE_PHONE = WORKERS[2], WORKERS[1]  # the hosts that they hang on


class Lab:
    """The hosts, and the command line of a client on this machine."""

    def __init__(self, network: Hosts, folder: Path) -> None:
        self.network, self.folder = network, folder
        self.tls = hosts.authority(folder / "tls")
        self.address = f"tls://{network.add(SCHEDULER)}:{PORT}"
        self.own = {number: hosts.of_host(folder / f"host-{number}") for number in WORKERS}
        for number in WORKERS:
            network.add(number)
        self.board = start_sshd(folder / "board", host=network.this_machine)
        self.phone = Phone(folder / "phone", host=network.this_machine)
        self.phone.start()
        self.runner = Attached(folder, {}).runner(kind="litert")
        self.adb = {"HOME": str(folder), "ANDROID_ADB_SERVER_PORT": "5037"}

    def start_scheduler(self) -> None:
        options = ("--protocol", "tls", "--host", self.address.split("/")[2].split(":")[0])
        self.network.start(
            SCHEDULER, "distributed.cli.dask_scheduler", *options, "--port", str(PORT),
            "--no-dashboard", env=self.tls,
        )  # fmt: skip

    def start_worker(self, number: int, devices: str, seconds: float) -> None:
        catalog = self.folder / f"host-{number}" / "lab.toml"
        entry = f'kind = "fake"\nsession_seconds = {seconds:.1f}\n'
        entries = [f"[{name}]\n{entry}" for name in devices.split(",")]
        env = {**self.tls, **self.own[number]}
        if number == BESIDE_BOARD:
            board = self.board
            entries.append(
                f'[board]\nkind = "ssh"\nhost = "{board.host}"\nport = {board.port}\n'
                f'user = "{board.user}"\nfolder = "{board.temporary}"\n'
            )
            devices, env["HOME"] = f"{devices},board", str(board.home)
        if number == BESIDE_PHONE:
            entries.append(
                f'[phone]\nkind = "adb"\nserial = "{self.phone.serial}"\n'
                f'runner = "{self.runner}"\nwarmup_seconds = 0.02\n'
            )
            devices, env = f"{devices},phone", {**env, **self.adb}
            said = self.network.run(number, "adb", "connect", self.phone.serial, env=self.adb)
            assert "connected to" in said
        catalog.write_text("".join(entries))
        self.network.start(
            number, "affnet.cli", "worker", "--cluster", self.address, "--device", devices,
            "--devices-file", str(catalog), "--slots", "1", env=env,
        )  # fmt: skip

    def affnet(self, *arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "affnet.cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            env={**module_environment(), **self.tls, **env},
            check=False,
        )

    def offers(self) -> list[dict[str, Any]]:
        done = self.affnet("devices", "--cluster", self.address, "--json")
        found: list[dict[str, Any]] = json.loads(done.stdout)["devices"] if done.stdout else []
        return found

    def await_offers(self, count: int) -> list[dict[str, Any]]:
        deadline = time.monotonic() + 120
        while len(found := self.offers()) != count:
            assert time.monotonic() < deadline, found
        return found


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with hosts.bridge() as network:
        found = Lab(network, tmp_path_factory.mktemp("lab"))
        yield found
        network.run(BESIDE_PHONE, "adb", "kill-server", env=found.adb)
        found.phone.lose()
        stop_sshd(found.board)


def test_hosts_share_the_work_and_none_of_it_is_lost(
    lab: Lab, tmp_path: Path, digits_onnx: Artifact
) -> None:
    lab.start_scheduler()
    for number in WORKERS:
        lab.start_worker(number, f"sim-{number},sim", 0.0 if number > WORKERS[0] else 8.0)
    found = lab.await_offers(11)
    assert {one["host"] for one in found} == {f"host-{number}" for number in WORKERS}
    there = ("--cluster", lab.address)

    given = ("eval", digits_onnx.path, "--data", pictures_of_digits(tmp_path / "data", 7), "--json")
    alone = json.loads(lab.affnet(*given).stdout)
    shared = lab.affnet(*given, *there)
    assert shared.returncode == 0, shared.stderr
    for key in ("top1", "top1_interval", "top5", "top5_interval", "images", "fingerprint"):
        assert json.loads(shared.stdout)[key] == alone[key], key

    for victim in (WORKERS[0], SCHEDULER):
        store = tmp_path / f"{victim}.db"
        names = ",".join(f"sim-{number}" for number in WORKERS)
        done: list[subprocess.CompletedProcess[str]] = []
        command = ("bench", digits_onnx.path, *there, "--device", names, "--preset", "quick")
        client = threading.Thread(
            target=lambda: done.append(lab.affnet(*command, "--store", store, "--json"))  # noqa: B023
        )
        client.start()
        while not any(one["busy"] for one in lab.offers()):
            assert client.is_alive(), done
        lab.network.kill(victim)
        if victim == SCHEDULER:
            lab.start_scheduler()
        else:
            lab.start_worker(victim, f"sim-{victim},sim", 8.0)
        client.join(240)
        assert done[0].returncode == 0, done[0].stderr
        with Store(str(store)) as opened:
            assert sorted(r.device for r in opened.find(Query())) == names.split(",")
        lab.await_offers(11)


def test_a_board_behind_a_worker_is_measured_over_ssh(
    lab: Lab, tmp_path: Path, digits_onnx: Artifact
) -> None:
    """It needs the hosts that the first test has started."""
    lab.await_offers(11)
    store, names = tmp_path / "results.db", f"board,sim-{WORKERS[0]}"
    command = ("bench", digits_onnx.path, "--cluster", lab.address, "--device", names)
    done = lab.affnet(*command, "--preset", "quick", "--store", store)
    assert done.returncode == 0, done.stderr
    assert lab.board.left_behind() == []
    stop_sshd(lab.board)
    lost = lab.affnet(*command, "--preset", "quick", "--store", store)
    assert lost.returncode != 0
    assert "board" in lost.stderr
    with Store(str(store)) as opened:
        kept = sorted(result.device for result in opened.find(Query()))
    assert kept == ["board", f"sim-{WORKERS[0]}", f"sim-{WORKERS[0]}"]


def test_a_phone_behind_a_worker_is_measured_over_adb(
    lab: Lab, tmp_path: Path, tiny_tflite: Artifact
) -> None:
    """It needs the hosts that the first test has started."""
    store = tmp_path / "results.db"
    command = ("bench", tiny_tflite.path, "--cluster", lab.address, "--device", "phone")
    done = lab.affnet(*command, "--preset", "quick", "--store", store)
    assert done.returncode == 0, done.stderr
    assert list(lab.phone.temporary.iterdir()) == []
    lab.phone.lose()
    lost = lab.affnet(*command, "--preset", "quick", "--store", store)
    assert lost.returncode != 0
    assert "phone" in lost.stderr
    with Store(str(store)) as opened:
        assert [result.device for result in opened.find(Query())] == ["phone"]


def test_who_cannot_prove_to_be_of_the_lab_gets_a_sentence(lab: Lab) -> None:
    """It needs the hosts that the first test has started."""
    lab.await_offers(11)
    stranger = hosts.authority(lab.folder / "stranger")
    refused = lab.affnet("devices", "--cluster", lab.address, **stranger)
    assert refused.returncode == 3, refused
    assert "do not trust each other: " in refused.stderr
    assert "CERTIFICATE_VERIFY_FAILED" in refused.stderr
    plain = lab.address.replace("tls", "tcp")
    bare = lab.affnet("devices", "--cluster", plain)
    assert (bare.returncode, "is not encrypted" in bare.stderr) == (2, True)
    insecure = lab.affnet("devices", "--cluster", plain, "--insecure")
    assert insecure.returncode == 3, insecure
    assert len(insecure.stderr.splitlines()) == 1, insecure.stderr
    gone = lab.affnet("devices", "--cluster", lab.address.replace(".2:", ".3:"))
    assert (gone.returncode, "does not answer" in gone.stderr) == (3, True)
