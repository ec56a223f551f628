"""What the page's server gives, and what it does not."""

from __future__ import annotations

import http.client
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from affnet.devices.browser.page_server import PAGE, serving

HOSTILE = "a b'\"; $(touch owned) `id` %2e?#.onnx"


def get(url: str, path: str) -> tuple[int, bytes, http.client.HTTPMessage]:
    """Ask the server of ``url`` for a path as it stands, which urllib would tidy up."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def test_the_page_is_isolated_from_other_origins_and_loads_nothing_from_them() -> None:
    with serving({}, None) as url:
        assert url.startswith("http://127.0.0.1:")
        status, content, headers = get(url, urlsplit(url).path)
    assert (status, content) == (200, (PAGE / "page.html").read_bytes())
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert "http" not in headers["Content-Security-Policy"]
    assert headers["Content-Security-Policy"].startswith("default-src 'self' ")


def test_files_are_served_by_their_names_there_whatever_they_are_called_on_disk(
    tmp_path: Path,
) -> None:
    model = tmp_path / HOSTILE
    model.write_bytes(b"weights")
    with serving({"model": model, "image": b"pixels"}, None) as url:
        root = urlsplit(url).path.removesuffix("page.html")
        assert get(url, root + "model")[:2] == (200, b"weights")
        assert get(url, root + "image")[:2] == (200, b"pixels")


def test_nothing_else_is_served(tmp_path: Path) -> None:
    packages = tmp_path / "node_modules"
    (packages / "runtime").mkdir(parents=True)
    (packages / "runtime" / "code.mjs").write_text("code")
    (packages / "runtime" / "README.md").write_text("text")
    (tmp_path / "secret.js").write_text("secret")
    with serving({"model": b"weights"}, packages) as url:
        root = urlsplit(url).path.removesuffix("page.html")
        status, content, headers = get(url, f"{root}packages/runtime/code.mjs")
        assert (status, content, headers["Content-Type"]) == (200, b"code", "text/javascript")
        for path in (
            "/model",
            "/page.html",
            "/0123456789/model",
            f"{root}",
            f"{root}image",
            f"{root}package.json",
            f"{root}packages/runtime/README.md",
            f"{root}packages/runtime",
            f"{root}packages/../secret.js",
            f"{root}packages/%2e%2e/secret.js",
            f"{root}packages/runtime/../../secret.js",
            f"{root}packages/{tmp_path}/secret.js",
            f"{root}{tmp_path}/secret.js",
        ):
            assert get(url, path)[0] == 404, path


def test_the_server_ends_and_its_address_is_another_each_time() -> None:
    with serving({}, None) as first:
        pass
    with serving({}, None) as second:
        assert urlsplit(first).path != urlsplit(second).path
    with pytest.raises(ConnectionRefusedError):
        get(first, "/")
