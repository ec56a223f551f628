"""The process that drives one browser: it serves a page, opens it and carries requests to it.

It is spoken to like `affnet.devices.worker.serve`, and ends when its input does, and the browser
with it: neither can outlive affnet.  While nothing is asked, it and the page sleep.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affnet.devices.browser.executable import find_browser
from affnet.devices.browser.npm_packages import PACKAGES, versions
from affnet.devices.browser.page_server import serving
from affnet.devices.browser.placement import page_placement
from affnet.devices.worker.host_probes import high_water_mark, pss_bytes
from affnet.devices.worker.serve import check_content
from affnet.errors import AffnetError, MeasurementError, first_line, require, to_wire
from affnet.parity import reference_inputs
from affnet.placement import Placement
from affnet.placement import to_wire as placement_wire

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

PURPOSE = "Measuring in a browser"
_FLAGS = ("--no-first-run", "--disable-background-networking", "--disable-component-update")
_START_TIMEOUT_MS = 60_000.0
_JOB = ("runtime", "threads", "inputs", "accelerator")  # what a page must know of a job

Answer = Callable[[dict[str, Any]], None]


class MeasuringPage:
    """A page in a browser of its own, and the requests that it answers."""

    def __init__(self, browser: Browser, page: Page, subject: str) -> None:
        self._browser = browser
        self._page = page
        self._subject = subject
        # errors that no request catches, such as one in a runtime's thread
        self._uncaught: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        page.on("pageerror", lambda error: self._fail(str(error)))
        self._log: list[str] = []
        page.on("console", lambda message: self._log.append(message.text))

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return what the page answers; raise `MeasurementError` if it fails."""
        script = "request => affnet.answer(request)"
        asked = asyncio.ensure_future(self._page.evaluate(script, request))
        await asyncio.wait({asked, self._uncaught}, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            asked.cancel()
            raise self._failure(self._uncaught.result())
        answer: dict[str, Any] = await asked
        if "failed" in answer:
            raise self._failure(answer["failed"])
        return answer

    async def placement(self, model: Path, job: dict[str, Any]) -> Placement | str:
        """Return where the operators of the page's model run, or why that is not known."""
        self._log.clear()
        answer = await self.ask({"command": "placement", **{name: job[name] for name in _JOB}})
        log, accelerated = "\n".join(self._log), answer["accelerated"]
        return page_placement(model, job["runtime"], job["accelerator"], log, accelerated)

    async def memory(self) -> dict[str, int | None]:
        """Return the memory of the page's process.

        Where the system keeps no record of the peak (macOS), it is what the process has now.
        """
        import psutil

        session = await self._browser.new_browser_cdp_session()
        found = await session.send("SystemInfo.getProcessInfo")
        pages = [one["id"] for one in found["processInfo"] if one["type"] == "renderer"]
        peak, largest = max(
            (high_water_mark(pid) or psutil.Process(pid).memory_info().rss, pid) for pid in pages
        )
        return {"peak_rss_bytes": peak, "pss_bytes": pss_bytes(largest)}

    def _fail(self, message: str) -> None:
        if not self._uncaught.done():
            self._uncaught.set_result(message)

    def _failure(self, message: str) -> MeasurementError:
        reason = (message.strip().splitlines() or ["no reason given"])[0].rstrip(".")
        return MeasurementError(f"The page that measures {self._subject} failed: {reason}.")


async def serve(requests: asyncio.Queue[dict[str, Any]], answer: Answer) -> None:
    """Answer the first request, and those after it.

    The first is ``{"command": "look", ..}`` or one of `describe_job`, each with what
    `affnet.devices.browser.process` adds to it.
    """
    require("playwright", extra="browser", purpose=PURPOSE)
    job = await requests.get()
    if job.get("command") == "look":
        with serving({}, None) as url:
            async with open_page(job, url, "nothing") as (browser, page):
                answer({**await page.ask({"command": "look"}), "browser": browser.version})
        return
    path = Path(job["artifact"])
    check_content(path, job["sha256"])
    arrays = reference_inputs(job["inputs"])
    fed = {f"input {index}": array.tobytes() for index, array in enumerate(arrays)}
    with serving({"model": path, **fed}, Path(job["packages"])) as url:
        async with open_page(job, url, path.name) as (_, page):
            wanted = {name: job[name] for name in _JOB}
            started = await page.ask({"command": "load", **wanted})
            version = f"{PACKAGES[job['runtime']]} {versions()[job['runtime']]}"
            answer({**started, "runtime_version": version})
            while True:
                request = await requests.get()
                if request["command"] == "memory":
                    answer(await page.memory())
                elif request["command"] == "placement":
                    found = await page.placement(path, job)
                    answer(
                        {"placement": found if isinstance(found, str) else placement_wire(found)}
                    )
                else:
                    answer(await page.ask(request))


@asynccontextmanager
async def open_page(
    job: dict[str, Any], url: str, subject: str
) -> AsyncIterator[tuple[Browser, MeasuringPage]]:
    """Start a browser with nothing but our page; translate what Playwright raises.

    ``job`` has the browser's ``executable`` and ``flags``, ``url`` is that of `serving`.
    """
    from playwright.async_api import Error, async_playwright

    starting = True
    try:
        async with async_playwright() as playwright:
            kind = playwright.chromium
            browser = await kind.launch(
                executable_path=find_browser(job["executable"], kind.executable_path),
                args=[*_FLAGS, *shlex.split(job["flags"])],
                chromium_sandbox=os.geteuid() != 0,  # it refuses to be root's
                handle_sigint=False,
                timeout=_START_TIMEOUT_MS,
            )
            try:
                page = await browser.new_page()
                opened = MeasuringPage(browser, page, subject)
                await page.goto(url, wait_until="load")
                await page.wait_for_function("globalThis.affnet !== undefined")
                starting = False
                yield browser, opened
            finally:
                await browser.close()
    except Error as error:
        raise MeasurementError(_sentence(error.message, starting, subject)) from error


def _sentence(message: str, starting: bool, subject: str) -> str:
    """Say what Playwright's message, several lines with a log, is about."""
    if "Target crashed" in message:
        return f"The page that measures {subject} crashed, perhaps for want of memory."
    if starting:
        return f"The browser did not start: {_start_failure(message)}."
    if "has been closed" in message or "Connection closed" in message:
        return f"The browser that measures {subject} crashed or was ended."
    return f"The page that measures {subject} failed: {first_line(Exception(message))}."


def _start_failure(message: str) -> str:
    """Return the line of Playwright's log on which the browser says why it does not start."""
    lines = [
        line.rpartition("[err]")[2].strip() for line in message.splitlines() if "[err]" in line
    ]
    grave = [line.partition("] ")[2] for line in lines if ":FATAL:" in line or ":ERROR:" in line]
    if not lines and "has been closed" in message:
        return "it ended at once and said nothing"
    return next(iter(grave or lines[::-1]), first_line(Exception(message))).rstrip(".")


async def _until_hung_up(answer: Answer) -> None:
    """Serve until the input ends, at whatever point that is."""
    reader = asyncio.StreamReader(limit=1 << 28)  # of a line, which may hold a picture
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    requests: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def listen() -> None:
        while line := await reader.readline():
            requests.put_nowait(json.loads(line))

    work = asyncio.create_task(serve(requests, answer))
    listening = asyncio.create_task(listen())
    await asyncio.wait({work, listening}, return_when=asyncio.FIRST_COMPLETED)
    listening.cancel()
    work.cancel()  # which does nothing to work that has ended with an error
    with contextlib.suppress(asyncio.CancelledError):
        await work


def main() -> None:
    """Serve on stdin and stdout, with everything a library prints sent to stderr instead.

    The argument is the folder of the browser's temporary files, which is removed at the end: who
    made it may be gone by then.
    """
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)

        def answer(content: dict[str, Any]) -> None:
            answers.write(json.dumps(content) + "\n")
            answers.flush()

        try:
            asyncio.run(_until_hung_up(answer))
        except AffnetError as error:
            answer({"error": to_wire(error)})
        finally:
            shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
