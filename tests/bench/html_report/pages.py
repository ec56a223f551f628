"""Results for reports, and a browser that opens them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from affnet.bench.budgets.budget_file import Budget
from affnet.bench.html_report import ReportData
from affnet.bench.results.result import Result
from affnet.bench.statistics.intervals import Interval
from affnet.bench.store.comparison import compare
from affnet.bench.store.database import Query, Store
from affnet.devices.base import OperatorTime
from affnet.devices.browser.executable import find_browser
from tests.bench.fakes import MS
from tests.bench.store.test_database import run_of

PUBLISHED = {"top1_percent": 73.0, "parameters_millions": 1.4, "source": "a paper"}
PROFILE = (
    OperatorTime("a", "Conv", 2 * MS, "stem.conv"),
    OperatorTime("b", "Mul", MS, "stage.0.gate"),
    OperatorTime("c", "Conv", 5 * MS, "stage.0.conv"),
)


def samples(middle: float, turns: int = 8) -> tuple[tuple[int, ...], ...]:
    """Turns of five samples around so many ms."""
    return tuple(
        tuple(int((middle + 0.01 * turn + 0.02 * run) * MS) for run in range(5))
        for turn in range(turns)
    )


def runs(days: Sequence[int] = (1, 2, 3), **changes: Any) -> list[Result]:
    """A model and its peer, measured in turns on each of some days."""
    found = []
    for day in days:
        for model, middle in (("mine", 8.0), ("peer", 10.0)):
            ratio = Interval(middle / 10, middle / 10.1, middle / 9.9)
            fields = {"model": model, "blocks_ns": samples(middle), "peer": "peer"}
            fields |= {"ratio_to_peer": ratio, "published": PUBLISHED, "operators": PROFILE}
            found.append(run_of(day, **(fields | changes)))
    return found


def data_of(results: Sequence[Result], budgets: Sequence[Budget] = ()) -> ReportData:
    """What a report of some results draws from."""
    with Store() as store:
        store.add(results)
        return ReportData(compare(store, Query(), None, "r.json"), budgets=budgets)


@contextmanager
def chromium() -> Iterator[Any]:
    """Yield a headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        kind = playwright.chromium
        browser = kind.launch(
            executable_path=find_browser(None, kind.executable_path), args=["--no-sandbox"]
        )
        try:
            yield browser
        finally:
            browser.close()


class Opened:
    """A report in a page, with all that the page said and asked for."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.said: list[str] = []
        self.requests: list[str] = []
        self.page = browser.new_page(**options)
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: self.said.append(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.evaluate("dispatchEvent(new Event('beforeprint'))")  # draws all, near or not
        self.settle()

    def settle(self) -> None:
        """Wait until whatever is shown is drawn."""
        self.wait_until(
            "[...document.querySelectorAll('figure')].every((figure) =>"
            "figure.ariaBusy === 'false' && (figure.hidden || figure.querySelector('svg')))"
        )

    def wait_until(self, condition: str, seconds: float = 60) -> None:
        """Wait until a JavaScript expression is true.

        Playwright's own ``wait_for_function`` evaluates in the page what it is given, which the
        page's policy forbids from the second time on.
        """
        for _ in range(int(seconds / 0.02)):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(20)
        pytest.fail(f"it is not true after {seconds:g} s: {condition}")

    def count(self, selector: str) -> int:
        """How many elements there are that can be seen."""
        return int(self.page.locator(f"{selector}:visible").count())

    def choose(self, facet: str, value: str) -> None:
        """Press a filter."""
        self.page.locator(f"input[name='{facet}'][value='{value}'] + span").click()
        self.settle()
