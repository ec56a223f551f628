"""Model Explorer's page on the loopback interface, without its own server.

That one reads any file for whoever reaches it, and asks the network for newer versions; here
nothing is served but the page, one graph and its data, to requests that name this address.  The
page may not load anything from elsewhere.
"""

from __future__ import annotations

import json
import mimetypes
import re
import signal
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from affnet.errors import MissingError, UsageError, require

_HOST = "127.0.0.1"
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "frame-ancestors 'none'; form-action 'none'"
)
#: What the page asks for besides: who can read the graph, and whether there is a newer version.
_ANSWERS = {
    "/api/v1/get_extensions": [
        {
            "id": "builtin_json",
            "type": "adapter",
            "name": "JSON",
            "description": "",
            "fileExts": ["json"],
        }
    ],
    "/api/v1/check_new_version": {"version": "", "runningVersion": "", "releaseUrl": ""},
}


class GraphServer(ThreadingHTTPServer):
    """Serves one graph with data of its nodes."""

    daemon_threads = True

    def __init__(
        self, name: str, graph: Any, node_data: Sequence[tuple[str, Any]], port: int = 0
    ) -> None:
        """Take the port.

        Args:
            name: of the file.
            graph: as `affnet.viewing.graph.graph_of` returns it.
            node_data: titles, and what is shown of nodes by their keys.
            port: 0 takes a free one.

        Raises:
            MissingError: Model Explorer is not installed.
            UsageError: the port is taken.
        """
        self.pages = page_files()
        self.answers: dict[tuple[str, str], Any] = {
            ("/api/v1/load_graphs_json", "0"): _joined(graph)
        }
        for index, (_, data) in enumerate(node_data):
            key = ("/api/v1/load_node_data", str(index))
            self.answers[key] = {"content": json.dumps(data)}
        try:
            super().__init__((_HOST, port), _Handler)
        except OSError as error:
            raise UsageError(
                f"Port {port} cannot be taken: {error.strerror}", "name another with --port."
            ) from error
        self.address = f"{_HOST}:{self.server_address[1]}"
        shown = {
            "models": [{"url": f"graphs://{_plain(name)}/0"}],
            "nodeData": [
                f"node_data://{_plain(title)}/{i}" for i, (title, _) in enumerate(node_data)
            ],
            "nodeDataTargets": ["" for _ in node_data],
        }
        self.url = f"http://{self.address}/?data={quote(json.dumps(shown))}"

    def serve_until_interrupted(self) -> None:
        """Answer until Ctrl-C, which ends this as asked."""
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGINT, before)
            self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: GraphServer

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if self.headers.get("Host") != self.server.address:  # a name that somebody points here
            self._reply(403, b"", "text/plain")
            return
        numbers = [value for values in parse_qs(asked.query).values() for value in values]
        key = (asked.path, numbers[0] if numbers else "")
        if key in self.server.answers or asked.path in _ANSWERS:
            content = self.server.answers.get(key, _ANSWERS.get(asked.path))
            self._reply(200, json.dumps(content).encode(), "application/json")
        elif (file := self.server.pages.get(asked.path)) is not None:
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            self._reply(200, file.read_bytes(), kind)
        else:
            self._reply(204 if asked.path.startswith("/api") else 404, b"", "text/plain")

    def _reply(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(content)


def page_files() -> Mapping[str, Path]:
    """Return the files of the page by the paths that it asks for."""
    require(
        "model_explorer",
        extra="view",
        purpose="Viewing a graph",
        distribution="ai-edge-model-explorer",
    )
    spec = find_spec("model_explorer")  # not imported: that takes a second, and a server
    origin = Path(spec.origin) if spec and spec.origin else Path()
    folder = origin.parent / "web_app"
    if not (folder / "index.html").is_file():
        raise MissingError(
            f"Model Explorer has no page in {folder}",
            "run: pip install --force-reinstall 'affnet[view]'",
        )
    files = {f"/{one.relative_to(folder).as_posix()}": one for one in folder.rglob("*")}
    found = {path: one for path, one in files.items() if one.is_file()}
    return {**found, "/": folder / "index.html"}


def _joined(graph: Any) -> dict[str, Any]:
    return {"graphs": [graph]}


def _plain(name: str) -> str:
    """Return a name that stands in the page's own addresses, whose parts a slash divides."""
    return re.sub(r"[^\w. -]", "_", name)
