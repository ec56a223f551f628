"""Measuring on a board over a real ssh connection."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from affnet.artifact import Artifact
from affnet.bench.measure import label_jobs, measure
from affnet.bench.protocol import get_protocol
from affnet.devices.catalog import Entry, find, open_device
from affnet.devices.ssh import SshDevice
from tests.devices.sshd import Board, start_sshd, stop_sshd


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    """A board that is configured well, and this user's ssh configuration for it."""
    found = start_sshd(tmp_path / "board")
    monkeypatch.setenv("HOME", str(found.home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    yield found
    assert found.left_behind() == []
    stop_sshd(found)


def device_of(board: Board, **settings: object) -> SshDevice:
    entry = find(board.address, {})
    settings = {"folder": str(board.temporary), **entry.settings, **settings}
    device = open_device(Entry("board", "ssh", settings))
    assert isinstance(device, SshDevice)
    return device


def test_a_board_measures_like_a_host(board: Board, digits_onnx: Artifact) -> None:
    device = device_of(board)
    with device.session("onnxruntime"):
        jobs = label_jobs([digits_onnx], "onnxruntime")
        (result,) = measure(jobs, device, get_protocol("quick"), threads=1)
    assert (result.device, result.runtime_version) == ("board", version("onnxruntime"))
    assert len(result.samples_ns) >= 30
    assert all(1e5 < sample < 1e9 for sample in result.samples_ns)
    assert 3e7 < result.peak_rss_bytes < 3e8
    assert result.environment["kind"] == "ssh"
    assert result.environment["host"] == board.address
    assert result.environment["memory_bytes"] > 1e8
    assert result.environment["before"]["busy_cores"] >= 0
