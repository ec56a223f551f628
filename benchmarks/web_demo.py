"""The demo of a package for the web: seconds from opening to its first answer, and what it loads.

    affnet package emoji.onnx --for web && (cd emoji-onnx-web && npm install && npm run build)
    python -m benchmarks.web_demo emoji-onnx-web

Each time a browser with an empty profile opens the page, which its own server serves on this
machine; the golden picture is handed to it as soon as it takes any.  Times are from the beginning
of the navigation.  Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from affnet.devices.browser.executable import find_browser
from affnet.table import Table, numbers, texts
from affnet.units import MEGABYTES

BAR_S, MORE_BYTES = 3.0, 200_000  # for the first answer; beside model and runtime
RUNTIME = ("ort", "litert_")  # what its files' names begin with
#: The page's clock begins with its navigation.
_OPEN = """async () => {
  while (!globalThis.ready) await new Promise((wait) => setTimeout(wait, 2));
  const ready = performance.now();
  const loaded = performance.getEntries().filter((one) => one.encodedBodySize);
  const picture = await (await fetch("golden/golden.jpg")).arrayBuffer();
  await look(new Uint8Array(picture));
  const answered = performance.now();
  const error = document.getElementById("error").textContent;
  const sizes = loaded.map((one) => [one.name, one.encodedBodySize]);
  return { ready, answered, error, sizes };
}"""


@contextmanager
def served(package: Path) -> Iterator[str]:
    """Serve the demo by the package's own server."""
    command = ["node", "test/run.mjs", "--serve"]
    with subprocess.Popen(command, cwd=package, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().split()[4].rstrip(";")
        finally:
            server.terminate()


def opened(url: str) -> dict[str, Any]:
    """Open the page in a browser of its own and return what it reports."""
    with sync_playwright() as playwright:
        kind = playwright.chromium
        browser = kind.launch(
            executable_path=find_browser(None, kind.executable_path),
            chromium_sandbox=os.geteuid() != 0,
        )
        try:
            page = browser.new_page()
            page.goto(url)
            found: dict[str, Any] = page.evaluate(_OPEN)
        finally:
            browser.close()
    if found["error"]:
        raise SystemExit(f"{url}: {found['error']}")
    return found


def report(package: Path, times: int) -> list[Any]:
    """Return the row of a package."""
    with served(package) as url:
        found = [opened(url) for _ in range(times)]
    contract = json.loads((package / "src/contract.json").read_text("utf-8"))
    sizes = {name.rpartition("/")[2]: size for name, size in found[0]["sizes"]}
    model = sizes[contract["model"]["file"]]
    runtime = sum(size for name, size in sizes.items() if name.startswith(RUNTIME))
    more = sum(sizes.values()) - model - runtime
    ready, answered = (
        statistics.median(one[key] for one in found) / 1e3 for key in ("ready", "answered")
    )
    slowest = max(one["answered"] for one in found) / 1e3
    verdict = "held" if answered <= BAR_S and more <= MORE_BYTES else "broken"
    runtime_name = contract["runtime"]
    return [
        f"{runtime_name['package']} {runtime_name['version']}",
        f"{ready:.2f} s",
        f"{answered:.2f} s",
        f"{slowest:.2f} s",
        MEGABYTES.text(model),
        MEGABYTES.text(runtime),
        f"{more / 1e3:.0f} kB",
        verdict,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packages", nargs="+", type=Path, help="folders that are built")
    parser.add_argument("--times", type=int, default=5, help="default: 5")
    given = parser.parse_args()
    titles = ("ready", "first answer", "slowest", "model", "runtime", "else", "bars")
    rows = [report(package, given.times) for package in given.packages]
    print(Table((*texts("package"), *numbers(*titles)), rows).markdown())


if __name__ == "__main__":
    main()
