"""What a report is about: results in the groups of a comparison, under the names the page uses."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from affnet.bench.budgets.budget_file import Budget
from affnet.bench.results.result import Result
from affnet.bench.store.comparison import Comparison, Group

#: Behind the name of a result that is not valid; the second character keeps it from being an emoji.
DOUBTFUL = "\N{WARNING SIGN}\N{VARIATION SELECTOR-15}"
#: What the page's filters choose by.
FACETS = ("device", "runtime", "model", "precision", "validity")


@dataclass(frozen=True)
class Entry:
    """A result on the page."""

    index: int  # among all of the page; rows of data name their result by it
    result: Result
    kind: str  # what distinguishes it from results of other models, runtimes, ..
    again: bool  # whether there are others of its kind, so that the run must distinguish them

    @property
    def name(self) -> str:
        """What distinguishes it from the others of its group."""
        return _joined(self.kind, self.run if self.again else "", self.mark)

    @property
    def mark(self) -> str:
        """The mark of what is not valid."""
        return "" if self.result.valid else DOUBTFUL

    @property
    def run(self) -> str:
        """The commit, or where it is not known the date, short."""
        return self.result.git_commit[:7] or self.recorded[5:] or "-"

    @property
    def recorded(self) -> str:
        """When it was measured, to the minute."""
        return self.result.recorded_at[:16].replace("T", " ")

    @property
    def series(self) -> str:
        """What stays the same from run to run."""
        return _joined(*(self.facet(name) for name in ("model", "runtime", "precision")))

    def facet(self, name: str) -> str:
        """Return what a filter sees of it."""
        if name == "validity":
            return "valid" if self.result.valid else "not valid"
        return str(getattr(self.result, name))


def _joined(*parts: str) -> str:
    return " \N{MIDDLE DOT} ".join(filter(None, parts))


@dataclass(frozen=True)
class ReportData:
    """All that the sections of a report draw from."""

    comparison: Comparison
    history: bool = False  # whether the tables are those of ``compare --history``
    budgets: Sequence[Budget] = ()

    @functools.cached_property
    def groups(self) -> list[tuple[Group, list[Entry]]]:
        """The comparison's groups, only within which numbers are compared."""
        fields = ("model", *_differing(self.comparison.results))
        found, index = [], 0
        for group in self.comparison.groups:
            repeated = Counter(_kind(result) for result in group.results)
            entries = []
            for result in group.results:
                kind = _joined(*(getattr(result, name) for name in fields))
                entries.append(Entry(index, result, kind, again=repeated[_kind(result)] > 1))
                index += 1
            found.append((group, entries))
        return found

    @functools.cached_property
    def entries(self) -> list[Entry]:
        """All results."""
        return [entry for _, entries in self.groups for entry in entries]

    @property
    def models(self) -> list[str]:
        """The models, in the order of their colours."""
        return sorted({entry.facet("model") for entry in self.entries})

    @property
    def runtimes(self) -> list[str]:
        """The runtimes, in the order of their shapes."""
        return sorted({entry.facet("runtime") for entry in self.entries})

    def heading(self, group: Group) -> str:
        """Return what distinguishes a group from the others; "" if there are none."""
        return group.conditions.title() if len(self.groups) > 1 else ""

    def newest(self) -> Iterator[tuple[Group, list[Entry]]]:
        """Yield the groups with only the newest result of each model, runtime and precision."""
        for group, entries in self.groups:
            newest: dict[tuple[str, ...], Entry] = {}
            for entry in entries:
                before = newest.get(_kind(entry.result))
                if before is None or entry.result.recorded_at >= before.result.recorded_at:
                    newest[_kind(entry.result)] = entry
            yield group, list(newest.values())


def _kind(result: Result) -> tuple[str, ...]:
    return result.model, result.runtime, result.precision, result.format


def _differing(results: Sequence[Result]) -> list[str]:
    """Return the fields, besides the model, that distinguish the kinds of results."""
    names = [
        name
        for name in ("runtime", "format", "precision")
        if len({getattr(result, name) for result in results}) > 1
    ]
    pairs = {(result.runtime, result.format) for result in results}
    if "format" in names and len(pairs) == len({runtime for runtime, _ in pairs}):
        names.remove("format")  # the runtime implies it
    return names
