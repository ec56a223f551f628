"""The page: one file of HTML that fetches nothing, whatever the results it shows call themselves.

Results are untrusted.  The template escapes every text, control characters are blanked, JSON cannot
end the element that holds it, and the page's own policy lets no script run but those whose hashes
it names, and nothing be fetched: should anything slip through all the same, the browser would
refuse it.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from affnet import __version__
from affnet.bench.html_report.data import FACETS, Entry, ReportData
from affnet.bench.results.ratios import ratio_in_words
from affnet.errors import printable, require
from affnet.files import write_whole

_TEMPLATE = resources.files("affnet.bench.html_report") / "template"
_TILES = 6  # ratios shown at the top
# what would change how a browser reads on inside a script element
_ENDS_SCRIPT = re.compile(r"<(?=!--|/?script)", re.IGNORECASE)


def check_installed() -> None:
    """Raise `MissingError` unless the packages that draw the report are installed."""
    for package in ("altair", "vl_convert", "jinja2"):
        require(package, extra="report", purpose="The HTML report")


def write_report(
    data: ReportData, path: Path, progress: Callable[[str], None] = lambda _: None
) -> None:
    """Write the report to a file, whole or not at all.

    Raises:
        MissingError: a package that draws it is not installed.
        AffnetError: the file cannot be written.
    """
    check_installed()
    progress("Drawing the report")
    # half a surrogate pair, which JSON may hold, has no bytes
    write_whole(path, render(data).encode(errors="replace"))


def render(data: ReportData) -> str:
    """Return the page."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    from affnet.bench.html_report.sections import SECTIONS

    sections = [section for make in SECTIONS if (section := make(data))]
    figures = _Figures()
    scripts = [_as_script(libraries()), _as_script(_read("page.js"))]
    environment = Environment(
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else _printable(value),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.from_string(_read("page.html")).render(
        version=__version__,
        made_at=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        data=data,
        sections=sections,
        add_figure=figures.add,
        in_words=ratio_in_words,
        facets=_facets(data.entries),
        tiles=[entry for entry in _told_first(data) if entry.result.ratio_to_peer][:_TILES],
        style=Markup(_read("page.css")),  # noqa: S704 - ours
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - ours
        hashes=[_hash(script) for script in scripts],
        content=lambda: Markup(_as_json(figures.content(data.entries))),  # noqa: S704 - escaped
    )


class _Figures:
    """Collects the figures while the template goes through the sections; equal charts once."""

    def __init__(self) -> None:
        self._charts: dict[str, int] = {}
        self._figures: list[dict[str, Any]] = []

    def add(self, figure: Any) -> int:
        """Return the number by which the page finds the figure."""
        content = figure.chart.to_dict()
        del content["$schema"]  # an address, though nobody would fetch it
        chart = json.dumps(content, sort_keys=True)
        number = self._charts.setdefault(chart, len(self._charts))
        self._figures.append({"chart": number, "rows": figure.rows, "most": figure.most})
        return len(self._figures) - 1

    def content(self, entries: list[Entry]) -> dict[str, Any]:
        """Return all that the page's script works on."""
        return {
            "charts": [json.loads(chart) for chart in self._charts],
            "figures": self._figures,
            "results": [_described(entry) for entry in entries],
            "facets": FACETS,
        }


def _described(entry: Entry) -> dict[str, Any]:
    """Return what the script joins to each row of a result."""
    result = entry.result
    return {
        **{name: entry.facet(name) for name in FACETS},
        "name": entry.name,
        "kind": f"{entry.kind} {entry.mark}".strip(),
        "series": entry.series,
        "doubtful": not result.valid,
        "valid": "yes" if result.valid else "; ".join(result.validity_reasons),
        "recorded": entry.recorded,
        "commit": result.git_commit[:9],
        "session": result.session[:9],
    }


def _facets(entries: list[Entry]) -> dict[str, list[str]]:
    """Return the values that each filter offers: none where there is nothing to choose."""
    values = {name: sorted({entry.facet(name) for entry in entries}) for name in FACETS}
    return {name: found for name, found in values.items() if len(found) > 1}


def _told_first(data: ReportData) -> list[Entry]:
    """Return the newest result of each model that was measured beside a peer."""
    return [
        entry
        for _, entries in data.newest()
        for entry in entries
        if entry.result.peer != entry.result.model
    ]


def libraries() -> str:
    """Return Vega, Vega-Lite and Vega-Embed, which vl-convert carries, as one script."""
    import altair
    import vl_convert

    version = ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    bundle: str = vl_convert.javascript_bundle(
        "globalThis.vegaEmbed = vegaEmbed;", vl_version=version
    )
    return bundle


def _as_script(text: str) -> str:
    """Return a script as it may stand in its element; a browser hashes it with these line ends."""
    return _ENDS_SCRIPT.sub(r"\\x3c", text.replace("\r\n", "\n").replace("\r", "\n"))


def _as_json(content: Any) -> str:
    """Return JSON as it may stand in a script element."""
    text = json.dumps(_printable(content), allow_nan=False, separators=(",", ":"))  # ASCII only
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _printable(value: Any) -> Any:
    """Return what is shown without control characters, which could reorder or hide its text."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {key: _printable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(entry) for entry in value]
    return value


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _read(name: str) -> str:
    return (_TEMPLATE / name).read_text(encoding="utf-8")
