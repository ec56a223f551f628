"""Where the runner of a phone comes from, with a publisher on loopback."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from affnet.devices.android.tools import binaries
from affnet.devices.android.tools.binaries import cached_path, find_runner
from affnet.errors import MeasurementError, MissingError, UsageError

PROGRAM = b"\x7fELF and the rest"


class Publisher:
    """A server that publishes files, and what was asked of it."""

    def __init__(self) -> None:
        self.files = {"/2.2.0/android_arm64/benchmark_model": PROGRAM}
        self.asked: list[str] = []
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                publisher.asked.append(self.path)
                content = publisher.files.get(self.path)
                self.send_response(404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    monkeypatch.setenv("AFFNET_CACHE_DIR", str(tmp_path / "cache" / "affnet"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found = Publisher()
    monkeypatch.setattr(binaries, "PUBLISHER", found.address)
    yield found
    found.close()


def test_a_runner_is_fetched_once_and_its_checksum_is_kept(publisher: Publisher) -> None:
    steps: list[str] = []
    first = find_runner("arm64-v8a", None, "2.2.0", steps.append)
    second = find_runner("arm64-v8a", None, "2.2.0", steps.append)
    assert first == second
    assert first.version == "2.2.0"
    assert first.path.read_bytes() == PROGRAM
    record = first.path.with_name("benchmark_model.sha256").read_text().strip()
    assert record == hashlib.sha256(PROGRAM).hexdigest()
    assert publisher.asked == ["/2.2.0/android_arm64/benchmark_model"]
    assert steps == [f"Fetching {publisher.address}/2.2.0/android_arm64/benchmark_model"]


@pytest.mark.usefixtures("publisher")
def test_a_cached_runner_that_was_changed_is_refused() -> None:
    path = find_runner("arm64-v8a", None, "2.2.0").path
    path.write_bytes(PROGRAM + b"!")
    with pytest.raises(MeasurementError, match=r"remove it and benchmark_model\.sha256 to fetch"):
        find_runner("arm64-v8a", None, "2.2.0")


def test_a_runner_put_into_the_cache_by_hand_is_taken(publisher: Publisher) -> None:
    path = cached_path("arm64-v8a", "2.2.0")
    path.parent.mkdir(parents=True)
    path.write_bytes(PROGRAM)
    assert find_runner("arm64-v8a", None, "2.2.0").path == path
    assert publisher.asked == []


def test_offline_it_says_what_to_fetch_and_where_to_put_it(publisher: Publisher) -> None:
    publisher.close()
    with pytest.raises(MissingError) as info:
        find_runner("arm64-v8a", None, "2.2.0")
    path = cached_path("arm64-v8a", "2.2.0")
    assert info.value.exit_code == 3
    assert (
        f"fetch {publisher.address}/2.2.0/android_arm64/benchmark_model and put it at {path}"
        in (str(info.value))
    )
    assert not path.exists()


@pytest.mark.parametrize(
    ("version", "content", "reason"),
    [("9.9.9", None, "cannot be fetched (Not Found)"), ("2.2.0", b"<html>", "gave no program")],
)
def test_what_is_no_runner_is_not_kept(
    publisher: Publisher, version: str, content: bytes | None, reason: str
) -> None:
    if content:
        publisher.files["/2.2.0/android_arm64/benchmark_model"] = content
    with pytest.raises(MissingError) as info:
        find_runner("arm64-v8a", None, version)
    assert reason in str(info.value)
    assert not cached_path("arm64-v8a", version).exists()


def test_a_named_folder_goes_first(publisher: Publisher, tmp_path: Path) -> None:
    own = tmp_path / "benchmark_model"
    own.write_bytes(b"mine")
    found = find_runner("riscv64", str(tmp_path), "2.2.0")
    assert found.path == own
    assert found.version == f"of sha256 {hashlib.sha256(b'mine').hexdigest()[:12]}"
    assert find_runner("arm64-v8a", str(own), "2.2.0").path == own
    assert publisher.asked == []
    with pytest.raises(UsageError, match="holds no benchmark_model; fetch http"):
        find_runner("arm64-v8a", str(tmp_path / "cache"), "2.2.0")


@pytest.mark.usefixtures("publisher")
def test_a_phone_for_which_none_is_published() -> None:
    with pytest.raises(MissingError, match="publishes no benchmark_model for armeabi-v7a phones"):
        find_runner("armeabi-v7a", None, "2.2.0")
