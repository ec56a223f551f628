"""A hub on the loopback interface that speaks its HTTP as huggingface_hub uses it.

Small text files come within the commit, others by git LFS before it, as ``preupload`` decides.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_a_secret_of_somebodys"  # noqa: S105


class Hub(ThreadingHTTPServer):
    """What it was asked, and what it has kept."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.repositories: dict[str, dict[str, bytes]] = {}  # files by name, of each repository
        self.private: dict[str, bool] = {}
        self.objects: dict[str, bytes] = {}  # of LFS, by their SHA-256
        self.theirs = {"somebody"}  # namespaces that the token may not write to
        self.cut_uploads = False  # the connection ends within the body
        self.answer: dict[str, tuple[int, dict[str, Any]]] = {}  # instead of the usual, by path

    def paths(self) -> list[str]:
        return [path for _, path, _ in self.requests]


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def _reply(self, status: int, content: dict[str, Any], **headers: str) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def _begin(self) -> bytes | None:
        """Read a request and note it; answer it here where it is to be refused."""
        self.server.requests.append((self.command, self.path, dict(self.headers)))
        length = self.headers.get("Content-Length")
        if length is None:  # files are sent in chunks
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(length))
        if self.path in self.server.answer:
            self._reply(*self.server.answer[self.path])
            return None
        needs_token = not self.path.startswith("/storage/")
        if needs_token and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._reply(401, {"error": "Invalid username or password."})
            return None
        return body

    def do_POST(self) -> None:
        if (body := self._begin()) is None:
            return
        if self.path == "/api/repos/create":
            self._create(json.loads(body))
        elif self.path == "/api/validate-yaml":
            self._reply(200, {"errors": [], "warnings": []})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", self.path):
            self._preupload(json.loads(body))
        elif re.fullmatch(r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", self.path):
            self._batch(json.loads(body))
        elif self.path == "/verify":
            self._reply(200 if json.loads(body)["oid"] in self.server.objects else 404, {})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", self.path):
            self._commit(found[1], [json.loads(line) for line in body.splitlines()])
        else:
            self._reply(404, {"error": "Not found"})

    def do_PUT(self) -> None:
        if self.server.cut_uploads:
            self.server.requests.append((self.command, self.path, dict(self.headers)))
            self.rfile.read(1)
            self.close_connection = True
            self.connection.close()
            return
        if (body := self._begin()) is None:
            return
        assert self.path == f"/storage/{hashlib.sha256(body).hexdigest()}"
        self.server.objects[self.path.rpartition("/")[2]] = body
        self._reply(200, {})

    def _create(self, asked: dict[str, Any]) -> None:
        name = f"{asked['organization']}/{asked['name']}"
        if asked["organization"] in self.server.theirs:
            self._reply(403, {"error": "You don't have the rights to create a model under it"})
            return
        url = f"{self.server.url}/{name}"
        if name in self.server.repositories:
            self._reply(409, {"error": "You already created this model repo", "url": url})
            return
        self.server.repositories[name] = {}
        self.server.private[name] = asked.get("visibility") == "private"
        self._reply(200, {"url": url, "name": name, "id": name})

    def _preupload(self, asked: dict[str, Any]) -> None:
        files = [
            {
                "path": one["path"],
                "uploadMode": "regular" if one["path"].endswith((".json", ".md")) else "lfs",
                "shouldIgnore": False,
            }
            for one in asked["files"]
        ]
        self._reply(200, {"files": files})

    def _batch(self, asked: dict[str, Any]) -> None:
        assert "basic" in asked["transfers"]
        objects = [
            {
                **one,
                "actions": {
                    "upload": {"href": f"{self.server.url}/storage/{one['oid']}", "header": {}},
                    "verify": {"href": f"{self.server.url}/verify", "header": {}},
                },
            }
            for one in asked["objects"]
        ]
        self._reply(200, {"transfer": "basic", "objects": objects})

    def _commit(self, repository: str, lines: list[dict[str, Any]]) -> None:
        assert lines[0]["key"] == "header"
        kept = self.server.repositories[repository]
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "lfsFile":
                kept[value["path"]] = self.server.objects[value["oid"]]
            else:
                assert (line["key"], value["encoding"]) == ("file", "base64")
                kept[value["path"]] = base64.b64decode(value["content"])
        url = f"{self.server.url}/{repository}/commit/1"
        self._reply(200, {"commitUrl": url, "commitOid": "1", "success": True})


@contextmanager
def running() -> Iterator[Hub]:
    """Yield a hub that answers until the end."""
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
