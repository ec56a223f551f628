"""``affnet cache``."""

from __future__ import annotations

from typing import Annotated

import typer

from affnet import console
from affnet.cache import KINDS, cache_folder
from affnet.commands.options import JsonOption, completing
from affnet.errors import UnknownNameError

_ALL = "all"


def cache(json: JsonOption = False) -> None:
    """Show what affnet keeps between runs: entries, size and place.

    Sources that are exported to be measured are kept; AFFNET_CACHE_SIZE is how much (2 GB), the
    least recently used go first.  AFFNET_CACHE_DIR names another folder.

    Example: affnet cache

    affnet cache clear removes it.
    """
    from affnet.export.artifact_cache import limit_bytes
    from affnet.table import Table, numbers, texts
    from affnet.units import MEGABYTES

    limit = limit_bytes()
    if json:
        entries = [
            {
                "name": kind.name,
                "holds": kind.holds,
                "entries": kind.entries(),
                "bytes": kind.size(),
                "path": str(kind.location()),
            }
            for kind in KINDS.values()
        ]
        folder = str(cache_folder())
        console.print_json({"folder": folder, "limit_bytes": limit, "kinds": entries})
        return
    header = [*texts("name", "holds"), *numbers("entries", "size"), *texts("in")]
    rows = [
        (
            kind.name,
            kind.holds,
            str(kind.entries()),
            MEGABYTES.text(kind.size()),
            kind.path,
        )
        for kind in KINDS.values()
    ]
    console.print_table(Table(header, rows))
    console.print_line(
        f"All is in {cache_folder()}; artifacts take {MEGABYTES.text(limit)} at most."
    )


def cache_clear(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"Of {', '.join(KINDS)} or {_ALL}.  Default: artifacts.",
            autocompletion=completing(*KINDS, _ALL),
        ),
    ] = None,
) -> None:
    """Remove what affnet keeps between runs; all of it can be made again.

    Example: affnet cache clear
    """
    wanted = list(KINDS) if _ALL in (names or ()) else names or ["artifacts"]
    for name in wanted:
        if name not in KINDS:
            raise UnknownNameError("part of the cache", name, [*KINDS, _ALL])
    for name in wanted:
        KINDS[name].clear()
