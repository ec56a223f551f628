"""Where a file's operators would run, by published rules, for machines and for people."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

from affnet.artifact import Artifact
from affnet.errors import UsageError
from affnet.placement import Placement
from affnet.runtimes.operator_rules.graph import READERS, read_graph
from affnet.runtimes.operator_rules.rules import TARGETS, Target, get_target

_NAMED = 3  # operators of a kind that are named
_DECIDED = "executorch"  # its files hold what a delegate runs


def prediction_record(artifact: Artifact, name: str) -> dict[str, Any]:
    """Return where operators would run for the target ``name``, in machine-readable form.

    Raises:
        UnknownNameError: there is no such target.
        UsageError: the file is of another format than the target runs.
    """
    target, format_ = get_target(name), artifact.manifest.format
    if format_ == _DECIDED and name == "xnnpack":
        from affnet.runtimes.executorch import placement_of

        placement = placement_of(artifact.path)
        about: dict[str, Any] = {"decided": "when the file was exported"}
    elif format_ == target.format and format_ in READERS:
        placement = target.place(read_graph(artifact.path, format_))
        about = {"rules": target.version, "sources": target.sources, "observed": target.observed}
    else:
        fitting = [one for one in TARGETS if get_target(one).format == format_]
        raise UsageError(
            f"{name} runs {target.format} files, and {artifact.path} is of the format {format_}",
            f"choose --for {' or '.join(fitting)}."
            if fitting
            else f"export it with --format {target.format}.",
        )
    return {
        "for": name,
        "placement": placement.text(),
        "share": placement.share,
        "units": placement.units,
        "operators": [dataclasses.asdict(one) for one in placement.operators],
        "changes": _changes(target, placement),
        **about,
    }


def prediction_fields(record: dict[str, Any]) -> dict[str, str]:
    """Return a `prediction_record` for people."""
    name, sources = record["for"], record.get("sources", ())
    fallen = [one for one in record["operators"] if one["reason"]]
    fields = {f"for {name}": f"{record['placement']} of {len(record['operators'])} operators"}
    if fallen:
        fields["would fall back"] = "; ".join(_groups(fallen))
    if record["changes"]:
        changes = record["changes"].items()
        fields["what to change"] = "; ".join(f"{kind}: {advice}" for kind, advice in changes)
    if "decided" in record:
        return {**fields, "known from": f"the file: it was decided {record['decided']}"}
    tested = (
        f"tested against {record['observed']}"
        if record["observed"]
        else "not tested: it needs the device"
    )
    return {**fields, "rules": f"{record['rules']} ({', '.join(sources)}), {tested}"}


def _changes(target: Target, placement: Placement) -> dict[str, str]:
    """Return what to do about each kind that falls back, where anything is known."""
    kinds = dict.fromkeys(one.operator for one in placement.fallen)
    return {kind: advice for kind in kinds if (advice := target.change_for(kind))}


def _groups(fallen: Sequence[dict[str, Any]]) -> list[str]:
    """Count what falls back by type and reason, and name a few of each."""
    counts = Counter((one["operator"], one["reason"]) for one in fallen)
    parts = []
    for (kind, reason), count in counts.most_common():
        names = [
            one["name"].rpartition("/")[2].strip(";")  # TFLite's begin with all modules around
            for one in fallen
            if (one["operator"], one["reason"]) == (kind, reason) and one["name"]
        ]
        more = ", .." if len(names) > _NAMED else ""
        named = f", {', '.join(names[:_NAMED])}{more}" if names else ""
        parts.append(f"{count} {kind} ({reason}{named})")
    return parts
