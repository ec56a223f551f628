"""Which schedulers are spoken to, and what is said of the others."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from affnet.cluster.connection import check_address, connected, own_host
from affnet.errors import UnreachableError
from tests.conftest import complaint

dask = pytest.importorskip("dask", reason="not installed: pip install affnet[cluster]")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_loopback_needs_no_certificates(host: str) -> None:
    assert check_address(f"{host}:8786", insecure=False) == f"tcp://{host}:8786"


def test_others_need_tls_or_a_word() -> None:
    sentence = complaint(check_address, "tcp://lab:8786", insecure=False)
    assert sentence is not None
    assert "whoever reaches it runs code as you" in sentence
    assert "--insecure" in sentence
    assert check_address("tcp://lab:8786", insecure=True) == "tcp://lab:8786"


@pytest.mark.parametrize("text", ["lab", "http://lab:1", "tcp://user@lab:1", "tcp://lab:x", ""])
def test_what_is_no_address_is_refused(text: str) -> None:
    assert "no address of a scheduler" in str(complaint(check_address, text, insecure=True))


def test_tls_needs_certificates_that_can_be_read(tmp_path: Path) -> None:
    address = "tls://lab:8786"
    missing = complaint(check_address, address, insecure=False)
    assert missing is not None
    assert missing.endswith("or in DASK_DISTRIBUTED__COMM__TLS__CA_FILE.")
    files = {"ca-file": tmp_path / "ca.pem", "client.cert": tmp_path / "c.pem"}
    keys = {f"distributed.comm.tls.{key}": str(path) for key, path in files.items()}
    keys["distributed.comm.tls.client.key"] = str(tmp_path / "c.pem")
    with dask.config.set(keys):
        assert "ca.pem" in str(complaint(check_address, address, insecure=False))
        for path in files.values():
            path.write_text("")
        assert check_address(address, insecure=False) == address


def test_a_worker_is_reached_where_its_scheduler_reaches_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Dask would take the way to the internet, which a lab need not have."""
    asked: list[tuple[str, int]] = []

    def get_ip(host: str, port: int) -> str:
        asked.append((host, port))
        return "10.0.0.7"

    monkeypatch.setattr("distributed.utils.get_ip", get_ip)
    assert own_host("tls://lab:8786") == own_host("tls://[fd00::1]:1") == "10.0.0.7"
    assert own_host("tcp://localhost:1") == "127.0.0.1"
    assert asked == [("lab", 8786), ("fd00::1", 1)]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_scheduler_that_has_gone_is_a_sentence(scheduler: str) -> None:
    with pytest.raises(UnreachableError, match="has gone"), connected(scheduler) as client:
        client.close()
        client.subscribe_topic("x", print)


def test_a_scheduler_that_does_not_answer_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("affnet.cluster.connection._ANSWER_S", 0.5)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UnreachableError, match="does not answer; start one"), connected(address):
        pass
