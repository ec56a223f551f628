"""The report in a real Chromium: it draws, filters, follows the colour scheme, and asks nobody."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from affnet.bench.html_report import page, write_report
from tests.bench.html_report.pages import Opened, chromium, data_of, runs
from tests.bench.html_report.test_sections import a_budget
from tests.devices.browser.browsers import without_browser

pytest.importorskip("altair", reason="altair is not installed: pip install 'affnet[report]'")

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&${1}\u2028{{7*7}}"
PHONE = {"viewport": {"width": 375, "height": 812}, "has_touch": True, "is_mobile": True}
MIXED = [
    *runs(),
    *runs([4], runtime="litert", format="tflite", session="x", validity_reasons=("too warm",)),
    *runs([5], device="pixel", precision="fp16", session="y"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if why := without_browser():
        pytest.skip(why)
    with chromium() as started:
        yield started


@pytest.fixture(scope="module", autouse=True)
def _libraries_once(libraries: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "libraries", lambda: libraries)
        yield


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of ten results: two devices, two runtimes, two precisions; two are not valid."""
    path: Path = tmp_path_factory.mktemp("report") / "mixed.html"
    write_report(data_of(MIXED, [a_budget()]), path)
    return path


def errors(opened: Opened) -> list[str]:
    """What the page said, but for the warning of charts whose rows have a fixed height."""
    return [said for said in opened.said if 'Dropping "fit-y"' not in said]


def test_it_draws_all_charts_without_an_error_or_a_request(browser: Any, mixed: Path) -> None:
    opened = Opened(browser, mixed)
    assert errors(opened) == []
    assert opened.requests == [mixed.as_uri()]
    titles = opened.page.locator("h2").all_inner_texts()
    assert titles == [
        "Latency distributions", "Latency against accuracy", "Latency against size", "History",
        "Operators", "Results", "Validity", "Quoted numbers",
    ]  # fmt: skip
    # the last: the newest profile of each kind
    assert [
        opened.page.locator("section").nth(number).locator("figure svg").count()
        for number in range(5)
    ] == [2, 2, 2, 2, 6]
    circles = opened.page.locator("section").first.locator(".mark-symbol.layer_0_marks path")
    assert circles.count() == 10 * 40  # a dot for each sample
    assert "mine, onnxruntime: 9 ms" in opened.page.locator("section").nth(3).inner_text()


def test_filters_choose_in_tables_tiles_and_charts(browser: Any, mixed: Path) -> None:
    opened = Opened(browser, mixed)
    rows = "section:nth-of-type(6) tbody tr"
    dots = "section:first-of-type .mark-symbol.layer_0_marks path"
    assert (opened.count(rows), opened.count(dots), opened.count(".tiles li")) == (10, 400, 3)
    opened.choose("model", "mine")
    assert (opened.count(rows), opened.count(dots), opened.count(".tiles li")) == (5, 200, 3)
    opened.choose("device", "pixel")
    assert (opened.count(rows), opened.count(dots), opened.count(".tiles li")) == (1, 40, 1)
    assert opened.page.locator("#shown").inner_text() == "1 of 10 results are shown."
    assert opened.count("section:nth-of-type(4) .filtered") == 1  # it has no history
    opened.choose("validity", "not valid")
    assert (opened.count(rows), opened.count("figure"), opened.count(".filtered")) == (0, 0, 7)
    opened.page.get_by_role("button", name="Show all").click()
    opened.settle()
    assert (opened.count(rows), opened.count(dots), opened.count(".filtered")) == (10, 400, 0)
    opened.choose("precision", "fp16")
    opened.choose("precision", "fp32")  # both
    opened.choose("runtime", "litert")
    assert (opened.count(rows), opened.count(dots)) == (2, 80)
    assert errors(opened) == []


def test_it_follows_the_colour_scheme_charts_too(browser: Any, mixed: Path) -> None:
    opened = Opened(browser, mixed, color_scheme="dark")

    def colours() -> list[str]:
        return [
            opened.page.evaluate("getComputedStyle(document.body).backgroundColor"),
            *(
                opened.page.locator(f"section:first-of-type svg {mark}").first.get_attribute("fill")
                for mark in (".role-mark text", ".mark-symbol path", ".role-axis-label text")
            ),
        ]

    dark = colours()
    assert dark == ["rgb(16, 19, 23)", "#e8ebef", "#58b0ea", "#9aa4b0"]
    opened.page.emulate_media(color_scheme="light")
    # the page hears of it some time later, and only then begins to draw
    opened.wait_until(
        "document.querySelector('section:first-of-type svg .role-mark text')"
        "?.getAttribute('fill') === '#16191d'"
    )
    opened.settle()
    assert colours() == ["rgb(246, 247, 249)", "#16191d", "#0072b2", "#5b6470"]
    assert errors(opened) == []


def test_a_phone_shows_it_without_scrolling_sideways(browser: Any, mixed: Path) -> None:
    opened = Opened(browser, mixed, **PHONE)
    width = opened.page.evaluate("document.documentElement.scrollWidth")
    assert width == 375 == opened.page.evaluate("innerWidth")
    widths = opened.page.evaluate(
        "[...document.querySelectorAll('figure svg.marks')].map((svg) => ["
        "svg.getBoundingClientRect().width, svg.closest('.chart').getBoundingClientRect().width])"
    )
    assert all(200 < svg <= room for svg, room in widths), widths
    button = opened.page.locator("label span").first.bounding_box()
    assert button["height"] >= 32  # for a thumb


def test_what_results_call_themselves_is_harmless(browser: Any, tmp_path: Path) -> None:
    fields = dict.fromkeys(
        ("device", "runtime", "runtime_version", "precision", "git_commit", "session", "protocol"),
        HOSTILE,
    )
    results = [
        found
        for name in ("<script>alert(0)</script>", HOSTILE)
        for found in runs(
            [1, 2], **fields, validity_reasons=(HOSTILE,), limits=(HOSTILE,), model=name + "m",
            peer=name, published={"top1_percent": 1.0, "source": HOSTILE, "macs_billions": HOSTILE},
            environment={"cpu": HOSTILE, "model": [HOSTILE]},
        )
    ]  # fmt: skip
    budget = a_budget(model=HOSTILE + "m", name=HOSTILE, text=HOSTILE)
    write_report(data_of(results, [budget]), tmp_path / "hostile.html")
    opened = Opened(browser, tmp_path / "hostile.html")
    assert errors(opened) == []
    assert opened.requests == [(tmp_path / "hostile.html").as_uri()]
    assert opened.page.evaluate("[document.images.length, document.scripts.length]") == [0, 3]
    assert "<script>alert(0)</script>m" in opened.page.locator("fieldset").first.inner_text()
    opened.choose("model", "<script>alert(0)</script>m")
    assert errors(opened) == []


def test_the_policy_stops_what_would_slip_through(browser: Any, mixed: Path) -> None:
    """The page's own last line of defence is real: added scripts and requests are refused."""
    opened = Opened(browser, mixed)
    with opened.page.expect_event("requestfailed") as request:
        opened.page.evaluate(
            "const script = document.createElement('script'); script.text = 'window.ran = true';"
            "document.body.append(script); new Image().src = 'http://127.0.0.1:9/x.png'"
        )
    assert opened.page.evaluate("window.ran") is None
    assert request.value.failure == "csp"
    assert [said for said in opened.said if "Content Security Policy" in said]


def test_no_address_is_part_of_the_page_but_in_the_libraries(mixed: Path) -> None:
    text = mixed.read_text(encoding="utf-8")
    own = re.sub(r"<script>.*?</script>", "", text, count=1, flags=re.DOTALL)  # the libraries
    assert re.findall(r"https?://|//[a-z]+\.[a-z]+/|@import|url\(", own) == []
    assert len(own) < 250_000 < len(text) < 1_400_000


def test_one_result_is_enough(browser: Any, tmp_path: Path) -> None:
    write_report(data_of(runs([1])[:1]), tmp_path / "r.html")
    opened = Opened(browser, tmp_path / "r.html")
    assert errors(opened) == []
    assert opened.count("#filters") == 0  # there is nothing to choose
    assert (opened.count("figure svg.marks"), opened.count("section tbody tr")) == (4, 2)


def test_of_five_hundred_results_the_newest_are_drawn(browser: Any, tmp_path: Path) -> None:
    results = [
        dataclasses.replace(
            result,
            recorded_at=f"2026-01-01T{number // 60:02}:{number % 60:02}",
            git_commit=f"{number:07}",
            operators=(),
        )
        for number, result in enumerate(runs([1] * 250))
    ]
    write_report(data_of(results), tmp_path / "r.html")
    assert (tmp_path / "r.html").stat().st_size < 2_500_000
    opened = Opened(browser, tmp_path / "r.html")
    assert errors(opened) == []
    assert opened.count("section:nth-of-type(6) tbody tr") == 500
    names = sorted(opened.page.locator(".layer_5_marks text").all_text_contents())
    assert len(names) == 30 and names[-1] == "peer \N{MIDDLE DOT} 0000499"
    assert opened.page.locator(".cut").first.inner_text() == (
        "The newest 30 of 500 results are drawn; filters choose others."
    )
    assert "at most 24 of up to 40 samples are drawn" in opened.page.inner_text("main")
    opened.choose("model", "mine")
    names = sorted(opened.page.locator(".layer_5_marks text").all_text_contents())
    assert len(names) == 30 and names[-1] == "mine \N{MIDDLE DOT} 0000498"


def test_json_holds_nothing_that_ends_or_opens_an_element() -> None:
    hostile = ["</script >", "</script/", "<!-- <script", "a > b & c"]
    text = page._as_json(hostile)
    assert not set("<>&") & set(text)
    assert json.loads(text) == hostile


def test_it_leads_with_the_comparison_that_was_asked_for_in_words(
    browser: Any, tmp_path: Path
) -> None:
    data = data_of(MIXED, [a_budget()])
    asked = dataclasses.replace(data.comparison, peer="peer")
    path = tmp_path / "asked.html"
    write_report(dataclasses.replace(data, comparison=asked), path)
    opened = Opened(browser, path)
    assert opened.page.inner_text("h1") == "Latency beside peer"
    assert "onnxruntime · fp32: faster: 20 % less time" in opened.page.inner_text(".tiles")
    # a runtime is known by its shape, a model by its colour
    assert opened.page.evaluate("document.body.innerText").count("A shape is a runtime") == 2
