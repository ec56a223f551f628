"""The page's server: what it answers, and to whom."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from affnet.errors import UsageError
from affnet.viewing import server as module
from affnet.viewing.server import GraphServer


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GraphServer]:
    """A server whose page is one file."""
    page = tmp_path / "index.html"
    page.write_text("<html>")
    monkeypatch.setattr(module, "page_files", lambda: {"/": page})
    opened = GraphServer("a/b <i>.onnx", {"id": "g"}, [("ms", {"g": {"results": {}}})])
    thread = threading.Thread(target=opened.serve_forever, args=(0.01,))
    thread.start()
    yield opened
    opened.shutdown()
    opened.server_close()
    thread.join()


def ask(server: GraphServer, path: str, host: str | None = None) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection(server.address, timeout=10)
    connection.request("GET", path, headers={"Host": host or server.address})
    answer = connection.getresponse()
    policy = answer.headers["Content-Security-Policy"]
    return answer.status, answer.read().decode(), policy


def test_it_serves_the_page_the_graph_and_the_data(server: GraphServer) -> None:
    status, text, policy = ask(server, "/")
    assert (status, text) == (200, "<html>")
    assert policy.startswith("default-src 'self' ")
    _, text, _ = ask(server, "/api/v1/load_graphs_json?graph_index=0")
    assert json.loads(text) == {"graphs": [{"id": "g"}]}
    _, text, _ = ask(server, "/api/v1/load_node_data?node_data_index=0")
    assert json.loads(json.loads(text)["content"]) == {"g": {"results": {}}}
    (data,) = parse_qs(urlsplit(server.url).query)["data"]
    assert json.loads(data)["models"] == [{"url": "graphs://a_b _i_.onnx/0"}]


def test_it_serves_nothing_else_and_nobody_else(server: GraphServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    for path in ("/api/v1/read_text_file?path=/etc/passwd", "/../pyproject.toml", "/etc/passwd"):
        status, text, _ = ask(server, path)
        assert status in (204, 404)
        assert text == ""
    assert ask(server, "/", host="evil.example:80")[0] == 403  # a name that points here


def test_a_port_that_is_taken_is_one_sentence(server: GraphServer) -> None:
    with pytest.raises(UsageError, match="name another with --port"):
        GraphServer("net", {}, [], server.server_address[1])
