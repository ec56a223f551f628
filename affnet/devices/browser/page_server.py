"""What a measuring page is served: itself, the runtimes, one model and its input; on loopback only.

Nothing but these is served, and only under a path that begins with a random token, so that other
programs and pages of this machine cannot read the model.
"""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

PAGE = Path(__file__).with_name("web")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
}
_HEADERS = {
    # both isolate the page from other origins, without which it gets no threads and a coarser clock
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    # the page can load nothing from elsewhere; the runtimes compile WebAssembly and start workers
    "Content-Security-Policy": (
        "default-src 'self' blob: data:; script-src 'self' blob: 'unsafe-inline' 'unsafe-eval'"
    ),
    "Cache-Control": "no-store",
}


@contextmanager
def serving(files: Mapping[str, Path | bytes], packages: Path | None) -> Iterator[str]:
    """Serve the page, ``files`` by their names and the folder ``packages``; yield the page's URL.

    ``packages`` is a ``node_modules``.  The names of files on disk are never part of a URL.
    """
    token = secrets.token_urlsafe(16)
    handler = partial(_Handler, f"/{token}/", files, packages)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/{token}/page.html"
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Answers GET."""

    def __init__(
        self, prefix: str, files: Mapping[str, Path | bytes], packages: Path | None, *rest: object
    ) -> None:
        self._prefix = prefix
        self._files = files
        self._packages = packages
        super().__init__(*rest)  # type: ignore[arg-type]  # answers before it returns

    def do_GET(self) -> None:
        content = self._find(unquote(urlsplit(self.path).path))
        if content is None:
            self.send_error(404)
            return
        if isinstance(content, bytes):
            self._begin(len(content), "application/octet-stream")
            self.wfile.write(content)
            return
        with content.open("rb") as file:
            kind = _TYPES.get(content.suffix, "application/octet-stream")
            self._begin(content.stat().st_size, kind)
            shutil.copyfileobj(file, self.wfile, 1 << 20)

    def end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
        """Say nothing."""

    def _begin(self, length: int, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def _find(self, path: str) -> Path | bytes | None:
        if not path.startswith(self._prefix):
            return None
        name = path.removeprefix(self._prefix)
        if name in self._files:
            return self._files[name]
        if name in ("page.html", "page.js"):
            return PAGE / name
        root, below = self._packages, name.removeprefix("packages/")
        if root is None or below == name or ".." in Path(below).parts:
            return None
        found = root.joinpath(*Path("/", below).parts[1:])
        return found if found.suffix in _TYPES and found.is_file() else None
