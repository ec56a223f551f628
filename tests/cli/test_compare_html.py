"""``affnet compare --html``: where it goes, what it refuses, and that it stands beside the rest."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from affnet.bench.html_report import page
from affnet.bench.reporting.output import write
from affnet.bench.store.database import Store
from tests.bench.html_report.pages import runs
from tests.cli.test_bad_output import files_limited_to
from tests.conftest import Finished

pytest.importorskip("altair", reason="altair is not installed: pip install 'affnet[report]'")

Run = Callable[..., Finished]
Refused = Callable[..., str]


@pytest.fixture(autouse=True)
def _files(workspace: Path, monkeypatch: pytest.MonkeyPatch, libraries: str) -> None:
    monkeypatch.setattr(page, "libraries", lambda: libraries)
    monkeypatch.delenv("AFFNET_STORE", raising=False)
    write(runs(), workspace / "r.json")


def content(path: str) -> dict[str, list[dict[str, object]]]:
    """What the page's script works on."""
    text = Path(path).read_text(encoding="utf-8")
    found = text.partition('id="content">')[2].partition("</script>")[0]
    loaded: dict[str, list[dict[str, object]]] = json.loads(found)
    return loaded


def test_a_report_of_files_stands_beside_the_other_outputs(run: Run) -> None:
    Path("b.toml").write_text('[[budget]]\nmodel = "mine"\nat_most = "9 ms"\ndevice = "fake"\n')
    done = run(
        "compare", "r.json", "--html", "r.html", "--budgets", "b.toml", "--csv", "-o", "t.md"
    )
    assert (done.code, done.err) == (0, "Drawing the report\n")
    assert done.out.startswith("device,") and Path("t.md").read_text().startswith("### fake")
    found = content("r.html")
    assert [result["model"] for result in found["results"]] == ["mine"] * 3 + ["peer"] * 3
    limits = [
        row["limit"]
        for figure in found["figures"]
        for row in figure["rows"].get("budgets", ())  # type: ignore[attr-defined]
    ]
    assert limits == [9.0]
    assert list(Path().glob(".affnet-*")) == []


def test_a_report_of_a_store_holds_a_history(run: Run) -> None:
    with Store("s.db") as opened:
        opened.add(runs(range(1, 29)))
    command = ("compare", "--store", "s.db", "--html", "r.html", "-q")
    assert run(*command).code == 0
    assert len(content("r.html")["results"]) == 40
    assert (
        run("compare", "--store", "s.db", "--history", "mine", "--html", "r.html", "-q").code == 0
    )
    assert len(content("r.html")["results"]) == 20
    text = Path("r.html").read_text(encoding="utf-8")
    assert "median ms [95 %]" in text  # the table is that of histories


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--html", "r.pdf"), "Unknown suffix of --html '.pdf'; valid: .html."),
        (("--html", "gone/r.html"), "The folder of --html gone/r.html does not exist;"),
        (("--html", "folder.html"), "--html folder.html is a folder; name a file."),
        (("--budgets", "b.toml"), "--budgets are drawn into a report; name its file with --html."),
        (("--html", "r.html", "--budgets", "b.toml"), "b.toml does not exist;"),
    ],
)
def test_reports_that_are_refused(
    refused: Refused, arguments: tuple[str, ...], sentence: str
) -> None:
    Path("folder.html").mkdir()
    assert refused("compare", "r.json", *arguments).startswith(sentence)


@pytest.mark.parametrize("package", ["altair", "vl_convert", "jinja2"])
def test_a_missing_package_is_named_before_anything_is_read(
    refused: Refused, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert refused("compare", "gone.json", "--html", "r.html", code=3) == (
        f"The HTML report needs the package {package!r}, which is not installed; "
        "run: pip install 'affnet[report]'"
    )


def test_a_full_disk_leaves_the_report_of_before(run: Run) -> None:
    Path("r.html").write_text("before")
    with files_limited_to(100_000):
        done = run("compare", "r.json", "--html", "r.html", "-q")
    assert done.code == 1 and done.error.startswith("No space is left for r.html;")
    assert Path("r.html").read_text() == "before"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model": "\ud800"}, "r.json, result 1: it holds half of a surrogate pair, which is no"),
        ({"published": {"top1_percent": "<b>"}}, "r.json, result 1: published: it is no accuracy"),
        ({"published": {"source": "a paper"}}, "r.json, result 1: published: it is no accuracy"),
        (
            {"result_schema": 2},
            "r.json, result 1: its schema is 2, this version of affnet reads 1; update affnet.",
        ),
    ],
)
def test_results_that_no_table_could_show(
    refused: Refused, change: dict[str, object], sentence: str
) -> None:
    record = json.loads(Path("r.json").read_text())
    record["results"][0] |= change
    Path("r.json").write_text(json.dumps(record))
    assert refused("compare", "r.json", "--html", "r.html").startswith(sentence)
