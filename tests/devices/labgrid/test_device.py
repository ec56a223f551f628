"""Measuring on boards that a real labgrid lends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from affnet.artifact import Artifact
from affnet.devices.device_lock import FOLDER_VARIABLE
from affnet.devices.labgrid.device import LabgridDevice, LabgridSettings
from affnet.errors import AffnetError, ConnectionLostError, MissingError
from affnet.processes import module_command, module_environment
from tests.devices.labgrid.lab import PLACE, Lab, lab, network_service
from tests.devices.ssh.sshd import Board, start_sshd, stop_sshd

OTHER = "elsewhere/ada"


@pytest.fixture(scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Board]]:
    folder = tmp_path_factory.mktemp("site")
    board = start_sshd(folder / "board")
    try:
        with lab(folder / "lab", network_service(board)) as found:
            yield found, board
    finally:
        stop_sshd(board)


@pytest.fixture
def site(_site: tuple[Lab, Board], monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Lab, Board]]:
    """A lab with one place, and its board; whatever a test does, both are free at its end."""
    running, board = _site
    monkeypatch.setenv("HOME", str(board.home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("LG_HOSTNAME", "here")
    monkeypatch.setenv("LG_USERNAME", "grace")
    yield running, board
    assert running.becomes(None)
    assert board.left_behind() == []


def test_a_place_is_acquired_measured_on_and_given_back(
    site: tuple[Lab, Board], digits_onnx: Artifact
) -> None:
    running, board = site
    device = running.device(board)
    with device.session("onnxruntime"):
        assert running.holder() == "here/grace"
        found = device.fingerprint()
        with device.start(digits_onnx, "onnxruntime", 1) as process:
            assert len(process.run(5)) == 5
    assert running.holder() is None
    assert (found["kind"], found["place"]) == ("labgrid", PLACE)
    assert found["host"] == board.address
    assert running.client("reservations") == ""


def test_a_place_of_another_is_waited_for_or_refused(site: tuple[Lab, Board]) -> None:
    running, board = site
    running.client("acquire")
    code, sentence = _refusal(running, board, wait_s=0)
    assert code == 3
    assert sentence.startswith(f"Place orin is acquired by {OTHER} since 2")
    assert sentence.endswith("run: labgrid-client -p orin release -k")
    assert running.holder() == OTHER
    steps: list[str] = []
    waiting = threading.Event()
    holders: list[str | None] = []

    def show(step: str) -> None:
        steps.append(step)
        if "Waiting" in step:
            waiting.set()

    def measure() -> None:
        with running.device(board).session("onnxruntime", show):
            holders.append(running.holder())

    thread = threading.Thread(target=measure)
    thread.start()
    assert waiting.wait(20)
    assert holders == []
    running.client("release")
    thread.join(30)
    assert holders == ["here/grace"]
    step = next(step for step in steps if "Waiting" in step)
    assert step.startswith(f"Waiting for place orin, which is acquired by {OTHER} since 2")
    assert step.endswith(": number 1 in the queue, 0 s so far")


def test_a_place_that_is_taken_away_ends_the_measurement(
    site: tuple[Lab, Board], digits_onnx: Artifact
) -> None:
    running, board = site
    device = running.device(board)
    with (
        pytest.raises(ConnectionLostError) as info,
        device.session("onnxruntime"),
        device.start(digits_onnx, "onnxruntime", 1) as process,
    ):
        running.client("release", "--kick")
        process.run(10_000_000)
    sentence = "Place orin was taken away while it was measured on: it was released."
    assert str(info.value) == sentence
    with device.session("onnxruntime"):  # it may be acquired anew
        assert running.holder() == "here/grace"


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.exhaustive)]
)
def test_a_place_is_given_back_however_a_run_ends(
    site: tuple[Lab, Board], digits_onnx: Artifact, tmp_path: Path, number: signal.Signals
) -> None:
    running, board = site
    catalog = running.catalog(tmp_path / "devices.toml", board)
    arguments = ["bench", str(digits_onnx.path), "--device", "orin", "--devices-file", str(catalog)]
    process = subprocess.Popen(
        [*module_command("affnet.cli"), *arguments, "--runtime", "onnxruntime"],
        env=module_environment(),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    assert running.becomes("here/grace")
    process.send_signal(number)
    process.wait()
    assert running.becomes(None)


def test_what_cannot_be_is_a_sentence(site: tuple[Lab, Board]) -> None:
    running, board = site
    assert _refusal(running, board, place="oven") == (
        2,
        "labgrid's coordinator has no place 'oven'; it has: orin.",
    )
    code, sentence = _refusal(running, board, resource="serial")
    assert code == 3
    assert sentence.startswith(
        "Place orin has no NetworkService called serial; its resources now: NetworkService "
        "NetworkService; set resource in devices.toml"
    )
    code, sentence = _refusal(running, board, coordinator="127.0.0.1:1")
    assert code == 3
    assert sentence.startswith("labgrid's coordinator at 127.0.0.1:1 does not answer; set LG_COO")


@pytest.mark.parametrize(
    ("service", "complaint"),
    [
        ({"address": "-oProxyCommand=x"}, "address '-oProxyCommand=x', which is no login"),
        ({"address": "board", "username": "a;b"}, "the user 'a;b' and the address 'board'"),
        ({"username": "ada"}, "address '', which is no login"),
        (
            {"address": "fe80::1%eth1", "extra": {"proxy_required": True}},
            "the address fe80::1%eth1, which only its exporter reaches",
        ),
    ],
)
def test_an_address_that_is_none_is_refused(service: dict[str, Any], complaint: str) -> None:
    device = LabgridDevice("orin", LabgridSettings(place=PLACE))
    with pytest.raises(MissingError, match=re.escape(complaint)):
        device._board(service)


def test_what_the_entry_sets_goes_before_what_the_place_says() -> None:
    service = {"address": "10.0.0.7", "username": "root", "port": 2222}
    device = LabgridDevice("orin", LabgridSettings(place=PLACE, user="ada"))
    assert str(device._board(service)._target) == "ada@10.0.0.7:2222"
    assert device.plan([], "litert", 1)[:2] == [
        "Wait up to 600 s for labgrid's place orin, and acquire it",
        "Log in to ada@its NetworkService over ssh, its host key verified",
    ]


def test_without_labgrid_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "labgrid", None)
    check, *_ = Lab(tmp_path, 1).device(_nowhere(tmp_path)).checks()
    assert (check.passed, check.remedy) == (False, "pip install 'affnet[labgrid]'")


@pytest.mark.exhaustive
def test_a_coordinator_that_is_lost_ends_the_measurement(
    board: Board, tmp_path: Path, digits_onnx: Artifact
) -> None:
    with lab(tmp_path / "lab", network_service(board)) as running:
        device = running.device(board)
        with (
            pytest.raises(ConnectionLostError) as info,
            device.session("onnxruntime"),
            device.start(digits_onnx, "onnxruntime", 1) as process,
        ):
            running.kill_coordinator()
            process.run(10_000_000)
    assert str(info.value).startswith("labgrid's coordinator was lost while place orin was measur")


@pytest.mark.exhaustive
def test_two_clients_never_measure_at_once(site: tuple[Lab, Board], tmp_path: Path) -> None:
    running, board = site
    catalog = running.catalog(tmp_path / "devices.toml", board)
    taken = tmp_path / "taken"
    racers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.devices.labgrid.racer", catalog, taken, "50"],
            env={
                **module_environment(),
                "LG_HOSTNAME": host,
                FOLDER_VARIABLE: str(_made(tmp_path / host)),  # labgrid alone keeps them apart
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        for host in ("one", "two")
    ]
    outputs = [racer.communicate()[0] for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0]
    assert outputs == ["50 measured\n"] * 2
    assert (running.folder / "coordinator.log").read_text().count("place acquired by one/") == 50


def _refusal(running: Lab, board: Board, **settings: object) -> tuple[int, str]:
    with pytest.raises(AffnetError) as info, running.device(board, **settings).session("litert"):
        pass
    return info.value.exit_code, str(info.value)


def _nowhere(folder: Path) -> Board:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return Board(folder, folder, folder, folder, 1, process)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
