"""The comparison table, for the terminal, as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.table import Table

from affnet.bench.results.result import QUOTED, Result, quoted_metrics
from affnet.units import MEGABYTES, MILLIONS, MILLISECONDS, Unit

_KINDS_NAMED = 4  # of a processor's operators


@dataclass(frozen=True)
class Column:
    """One column: its header and the cell of a result; units stand in the header."""

    header: str
    cell: Callable[[Result], str]
    text: bool = False  # aligned to the left


def _quantity(name: str, unit: Unit, value: Callable[[Result], float | None]) -> Column:
    def cell(result: Result) -> str:
        number = value(result)
        return "-" if number is None else unit.number(number)

    return Column(f"{name} {unit.symbol}", cell)


def columns(results: Sequence[Result]) -> list[Column]:
    """Return the columns that these results fill."""
    chosen = [Column("device", lambda r: r.device, text=True)] if _names_devices(results) else []
    chosen += [
        Column("model", lambda r: r.model, text=True),
        Column("runtime", lambda r: r.runtime, text=True),
        _quantity("median", MILLISECONDS, lambda r: r.summary().median),
        _quantity("p90", MILLISECONDS, lambda r: r.summary().p90),
        _quantity("p99", MILLISECONDS, lambda r: r.summary().p99),
    ]
    peers = list(dict.fromkeys(r.peer for r in results if r.peer))
    if len(peers) == 1:
        chosen.append(Column(f"x {peers[0]} [95 %]", ratio_cell))
    elif peers:
        chosen.append(Column("peer", lambda r: r.peer or "-", text=True))
        chosen.append(Column("x peer [95 %]", ratio_cell))
    chosen += [
        _quantity("load", MILLISECONDS, lambda r: r.load_ns),
        _quantity("first", MILLISECONDS, lambda r: r.first_inference_ns),
        _quantity("memory", MEGABYTES, lambda r: r.peak_rss_bytes),
        _quantity("file", MEGABYTES, lambda r: r.file_bytes),
        _quantity("params", MILLIONS, lambda r: r.parameters),
        _quantity("MACs", MILLIONS, lambda r: r.macs),
    ]
    chosen += [_accuracy_column(*key) for key in _data_sets(results)]
    quoted = {field for r in results for field in quoted_metrics(r.published)}
    return chosen + [
        _quoted_column(field, name) for field, name in QUOTED.items() if field in quoted
    ]


def _data_sets(results: Sequence[Result]) -> list[tuple[str, str]]:
    """Return name and fingerprint of each data set on which an accuracy was measured."""
    return list(dict.fromkeys((a.dataset, a.fingerprint) for r in results for a in r.accuracy))


def _accuracy_column(dataset: str, fingerprint: str) -> Column:
    """Return the column of one data set: of another one of that name there is another column."""

    def cell(result: Result) -> str:
        for measured in result.accuracy:
            if (measured.dataset, measured.fingerprint) == (dataset, fingerprint):
                return f"{100 * measured.top1:.1f}"
        return "-"

    return Column(f"top-1 % (measured on {dataset})", cell)


def _names_devices(results: Sequence[Result]) -> bool:
    """Whether rows name their device: there are several, or one that does not measure."""
    return len({r.device for r in results}) > 1 or any(r.is_computed for r in results)


def _in_groups(results: Sequence[Result]) -> bool:
    """Whether models of one device and runtime were measured in other turns, with the peer."""
    return all(r.ratio_to_peer for r in results) and len(
        {(r.device, r.runtime, r.session) for r in results}
    ) > len({(r.device, r.runtime) for r in results})


def ratio_cell(result: Result) -> str:
    """Return the ratio to the peer with its interval."""
    if (ratio := result.ratio_to_peer) is None:
        return "-"
    if result.peer == result.model:
        return "1"
    return f"{ratio.value:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"


def _quoted_column(field: str, name: str) -> Column:
    def cell(result: Result) -> str:
        percent = quoted_metrics(result.published).get(field)
        return "-" if percent is None else f"{percent:.1f}"

    return Column(f"{name} % (quoted)", cell)


def _course_notes(results: Sequence[Result]) -> list[str]:
    """Say how the measurements went, where that is not one run of turns."""
    lines = [
        f"Under load for {r.protocol.removeprefix('sustained ')} {r.model} {curve.sentence()}."
        for r in results
        if (curve := r.sustained)
    ]
    if _in_groups(results):
        lines.append(
            "Measured in groups, one after the other, the peer in each: ratios compare all, "
            "milliseconds only those of a group."
        )
    return lines


def notes(results: Sequence[Result]) -> list[str]:
    """Return what a reader must know to trust the table, a sentence each."""
    by_device: dict[str, list[Result]] = {}
    for result in results:
        by_device.setdefault(result.device, []).append(result)
    lines = [device_note(group) for group in by_device.values()]
    lines += _memory_notes(results)
    lines += _course_notes(results)
    if random := dict.fromkeys(r.model for r in results if r.has_random_weights):
        lines.append(
            f"Random weights: {', '.join(random)}; latency does not depend on them, "
            "the quoted accuracy is that of the published weights."
        )
    lines += [
        f"Measured accuracy on {name}: {_images_of(results, name, key)} images, of this very file."
        for name, key in _data_sets(results)
    ]
    for field, name in QUOTED.items():
        quoted = [r.published for r in results if field in quoted_metrics(r.published)]
        if sources := sorted({published["source"] for published in quoted if published}):
            lines.append(f"Quoted, not measured: {name} from {'; '.join(sources)}.")
    lines += [f"{limit}." for limit in dict.fromkeys(why for r in results for why in r.limits)]
    several = len(by_device) > 1
    lines += [_placement_note(result, several) for result in results if result.placed]
    if proven := [r.parity.max_rel_error for r in results if r.parity and r.parity.passed]:
        lines.append(
            "Outputs on the device agree with this machine's: "
            f"the largest error is {max(proven):.1e} of the largest output."
        )
    doubts = sorted(
        {f"{r.device}: {why}" if several else why for r in results for why in r.validity_reasons}
    )
    if doubts:
        lines.append(f"Not valid for publication: {'; '.join(doubts)}.")
    return lines


def _images_of(results: Sequence[Result], dataset: str, fingerprint: str) -> int:
    known = (a for result in results for a in result.accuracy)
    return next(a.images for a in known if (a.dataset, a.fingerprint) == (dataset, fingerprint))


def device_note(results: Sequence[Result]) -> str:
    """Say how the results of one device came about."""
    first = results[0]
    if first.is_computed:
        return f"Not measured: {first.device} computes its numbers from the size of each model."
    runtimes = sorted({f"{r.runtime} {r.runtime_version}" for r in results})
    runs = min(r.runs for r in results)
    cpu = first.environment.get("model") or first.environment.get("cpu", "unknown processor")
    return (
        f"Measured on {first.device} ({cpu}), {', '.join(runtimes)}, {first.threads} thread(s), "
        f"protocol {first.protocol}: {runs} runs or more each, in turns. {_memory_note(results)}"
    )


def _memory_note(results: Sequence[Result]) -> str:
    if all(result.peak_rss_bytes is None for result in results):
        return "Memory is not available on this device."
    return "Memory is the peak of a whole process, runtime included."


def _memory_notes(results: Sequence[Result]) -> list[str]:
    """Say what else is known of the memory, where anything is."""
    several = len({result.runtime for result in results}) > 1
    names = [f"{r.model} on {r.runtime}" if several else r.model for r in results]
    shared = zip(names, (result.pss_bytes for result in results), strict=True)
    own = zip(names, (result.runtime_bytes for result in results), strict=True)
    lines = []
    for what, found in (
        ("PSS, in which pages that processes share count by their share", shared),
        ("The runtime's own account of its memory", own),
    ):
        known = [f"{name} {MEGABYTES.text(size)}" for name, size in found if size]
        if known:
            lines.append(f"{what}: {', '.join(dict.fromkeys(known))}.")
    return lines


def _placement_note(result: Result, several: bool) -> str:
    """Say which processors run how many operators, and which kinds the less used ones run."""
    kinds: dict[str, Counter[str]] = {}
    for placed in result.placed:
        kinds.setdefault(placed.unit, Counter())[placed.operator] += 1
    most, *others = result.placement
    parts = [f"{result.placement[most]} on {most}"]
    for unit in others:
        named = ", ".join(
            f"{count} {kind}" for kind, count in kinds[unit].most_common(_KINDS_NAMED)
        )
        more = ", .." if len(kinds[unit]) > _KINDS_NAMED else ""
        parts.append(f"{result.placement[unit]} on {unit} ({named}{more})")
    where = f" on {result.device}" if several else ""
    return f"Operators of {result.model}{where} in the runtime's plan: {'; '.join(parts)}."


def to_rich(results: Sequence[Result], chosen: Sequence[Column] | None = None) -> Table:
    """Return the table for a terminal, of other columns than its own if they are given."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    chosen = columns(results) if chosen is None else chosen
    for column in chosen:
        table.add_column(column.header, justify="left" if column.text else "right")
    for result in results:
        table.add_row(*(column.cell(result) for column in chosen))
    return table


def to_markdown(
    results: Sequence[Result],
    chosen: Sequence[Column] | None = None,
    footnotes: Sequence[str] | None = None,
) -> str:
    """Return the table and its notes as Markdown."""
    chosen = columns(results) if chosen is None else chosen
    rows = [
        [column.header for column in chosen],
        ["---" if column.text else "---:" for column in chosen],
        *([column.cell(result) for column in chosen] for result in results),
    ]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    below = [f"- {note}" for note in (notes(results) if footnotes is None else footnotes)]
    return "\n".join([*lines, "", *below]) + "\n"


def to_csv(results: Sequence[Result], chosen: Sequence[Column] | None = None) -> str:
    """Return the table as CSV, without its notes."""
    chosen = columns(results) if chosen is None else chosen
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(column.header for column in chosen)
    writer.writerows([column.cell(result) for column in chosen] for result in results)
    return text.getvalue()
