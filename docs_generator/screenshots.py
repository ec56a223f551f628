"""The screenshots in the docs, taken in a headless Chromium: ``make screenshots``.

Each holds the fingerprint of what it shows, and a test compares that with the code's.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

import affnet
from affnet.bench.html_report import ReportData, page
from affnet.bench.results.reading import read_results
from affnet.bench.store.comparison import compare
from affnet.bench.store.database import Query, Store
from affnet.devices.browser.executable import find_browser
from affnet.package.build import build
from affnet.templates.render import TEMPLATES

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
_RESULTS = IMAGES / "report.json"
_PICTURE = ROOT / "affnet" / "data" / "emoji" / "heldout" / "animals_nature" / "twemoji-1f415.webp"
_SCRIPT = ROOT / "affnet" / "bench" / "html_report" / "template" / "page.js"
_DEMO = ("common/demo/demo.html", "common/demo/demo.ts.tmpl", "classification/demo/answers.ts")
_FINGERPRINT = "shows"  # the text of a PNG that holds it
# of the report: its date, its code, whose greater part is Vega's, and the hashes of that
_VOLATILE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d UTC|<script>.*?</script>|'sha256-\S+'", re.DOTALL
)


def report() -> str:
    """Return the page of the report of the results that are kept for it."""
    with Store() as store:
        store.add(read_results(_RESULTS))
        return page.render(ReportData(compare(store, Query(), None, _RESULTS.name)))


def report_shown() -> str:
    """Return what the report's screenshot depends on: style, texts, charts and their numbers."""
    return _VOLATILE.sub("", report()) + _SCRIPT.read_text(encoding="utf-8")


def demo_shown() -> str:
    """Return what the screenshot of the demo depends on: the sources of its page."""
    return "".join((TEMPLATES / "web" / name).read_text(encoding="utf-8") for name in _DEMO)


def take_report(browser: Any) -> bytes:
    """Return the top of the report."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        path.write_text(report(), encoding="utf-8")
        shown = browser.new_page(viewport={"width": 1000, "height": 1190})
        shown.goto(path.as_uri())
        shown.wait_for_selector("figure svg.marks")
        shown.wait_for_timeout(2000)  # until all that is near has been drawn
        return bytes(shown.screenshot())


def take_demo(browser: Any) -> bytes:
    """Return the demo of the web package of ``emoji``, with a picture that training never saw."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        source = affnet.load_source("emoji")
        artifact = affnet.export_artifact(source, affnet.ExportOptions("onnx"), folder)
        package = build(artifact.path, "web", folder / "package", threads=1).folder
        for command in (["npm", "install", "--no-audit", "--no-fund"], ["npm", "run", "build"]):
            subprocess.run(command, cwd=package, check=True, capture_output=True)
        with _served(package) as address:
            shown = browser.new_page(viewport={"width": 760, "height": 560})
            shown.goto(f"{address}/build/demo.html")
            shown.wait_for_function("globalThis.ready")
            shown.set_input_files("#file", _PICTURE)
            shown.wait_for_selector("#answers li")
            # all but the times at its foot, which are of whatever machine takes it
            return bytes(shown.screenshot(clip={"x": 0, "y": 0, "width": 760, "height": 424}))


SCREENSHOTS: dict[str, tuple[Callable[[], str], Callable[[Any], bytes]]] = {
    "report.png": (report_shown, take_report),
    "web-demo.png": (demo_shown, take_demo),
}


def fingerprint(shown: str) -> str:
    """Return the hash of what a screenshot depends on."""
    return hashlib.sha256(shown.encode(errors="replace")).hexdigest()


def kept_fingerprint(name: str) -> str:
    """Return the fingerprint in a screenshot, empty where it has none."""
    with Image.open(IMAGES / name) as image:
        return str(image.info.get(_FINGERPRINT, ""))


def write(name: str, png: bytes) -> None:
    """Keep a screenshot with its fingerprint, in few colours, as a page has."""
    info = PngInfo()
    info.add_text(_FINGERPRINT, fingerprint(SCREENSHOTS[name][0]()))
    image = Image.open(io.BytesIO(png)).convert("RGB").quantize(256)
    image.save(IMAGES / name, optimize=True, pnginfo=info)


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback, and yield its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Say nothing."""


def main() -> None:
    """Take all screenshots."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with sync_playwright() as playwright:
        kind = playwright.chromium
        browser = kind.launch(executable_path=find_browser(None, kind.executable_path), args=flags)
        for name, (_, take) in SCREENSHOTS.items():
            write(name, take(browser))
        browser.close()


if __name__ == "__main__":
    main()
