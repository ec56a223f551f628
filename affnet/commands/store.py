"""``affnet store``."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affnet import console
from affnet.commands.options import JsonOption, StoreOption
from affnet.errors import UsageError

if TYPE_CHECKING:
    from affnet.bench.store.database import Store

app = typer.Typer(help="Move results between stores, and remove old ones.", rich_markup_mode=None)
_AT_ONCE = 500  # results in one transaction

ModelsOption = Annotated[
    list[str] | None, typer.Option("--model", help="Only of this model; may be repeated.")
]
DevicesOption = Annotated[
    list[str] | None, typer.Option("--device", help="Only of this device; may be repeated.")
]


@app.command("export")
def export_results(
    output: Annotated[Path, typer.Argument(help="The file to write, .jsonl.")],
    store: StoreOption = None,
    model: ModelsOption = None,
    device: DevicesOption = None,
    json: JsonOption = False,
) -> None:
    """Write the results of a store into a file, oldest first.

    Example: affnet store export results.jsonl --store results.db
    """
    import json as json_format

    from affnet.bench.results import jsonl
    from affnet.bench.store.database import Query
    from affnet.files import publish, staging_folder, translating_os_errors

    if output.suffix != jsonl.SUFFIX:
        raise UsageError(f"{output} is not called .jsonl", "name it so: results stand in lines.")
    count = 0
    with _open(store, create=False) as opened, staging_folder(output.parent) as staging:
        staged = staging / output.name
        with translating_os_errors(output), staged.open("w", encoding="utf-8") as file:
            for result in opened.each(Query(tuple(model or ()), tuple(device or ()))):
                file.write(json_format.dumps(result.to_json()) + "\n")
                count += 1
        publish([staged], output.parent)
    _say(f"{count} results are in {output}.", {"results": count, "file": str(output)}, json)


@app.command("import")
def import_results(
    files: Annotated[list[Path], typer.Argument(help="Files that --output or export wrote.")],
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Add the results of files to a store; those that it has are not added again.

    Example: affnet store import results.jsonl --store postgresql://lab/affnet
    """
    from affnet.bench.results.reading import each_result

    read = added = 0
    with _open(store, create=True) as opened:
        for path in files:
            results = each_result(path)
            while part := list(itertools.islice(results, _AT_ONCE)):
                read += len(part)
                added += opened.add(part)
    _say(f"{added} of {read} results were new.", {"read": read, "added": added}, json)


@app.command()
def prune(
    before: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="Remove what was measured before.")
    ],
    keep: Annotated[
        int,
        typer.Option(min=0, help="Of each model under the same conditions, however old."),
    ] = 20,
    store: StoreOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False,
    json: JsonOption = False,
) -> None:
    """Remove old results from a store, but not the newest of their kind.

    Example: affnet store prune --before 2026-01-01 --store results.db
    """
    day = before.replace(tzinfo=UTC).isoformat(timespec="seconds")
    with _open(store, create=False) as opened:
        count = opened.prune(day, keep, dry_run=dry_run)
    what = "would be removed" if dry_run else "were removed"
    _say(f"{count} results {what}.", {"results": count, "removed": not dry_run}, json)


def _open(store: str | None, *, create: bool) -> Store:
    from affnet.bench.store.database import Store

    if store is None:
        raise UsageError("No store is named", "add --store, a SQLite file or a URL.")
    return Store(store, create=create)


def _say(sentence: str, record: dict[str, object], json: bool) -> None:
    if json:
        console.print_json(record)
    else:
        console.print_line(sentence)
