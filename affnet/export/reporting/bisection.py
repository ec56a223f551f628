"""What is said of a search for wrong operators, for machines and for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from affnet.export.bisection.record import Bisection, ValueRange, WrongPart
from affnet.table import Table, numbers, texts

_VISIBLE_ERROR = 1e-12


def records(found: Sequence[Bisection]) -> list[dict[str, Any]]:
    """Return the machine-readable form."""
    return [one.described() for one in found]


def fields(found: Sequence[Bisection]) -> dict[str, str]:
    """Return the same for people, name to value; the operators come in `tables`."""
    return {f"operators on {one.device}": _summary(one) for one in found}


def tables(found: Sequence[Bisection]) -> list[Table]:
    """Return a table of each device's wrong operators, if it has any."""
    head = [
        *numbers("#"),
        *texts("operator", "module"),
        *numbers("error"),
        *texts("reads", "what is wrong", "alone in"),
    ]
    return [
        Table(head, [_row(number, wrong) for number, wrong in enumerate(one.wrong, 1)])
        for one in found
        if one.wrong
    ]


def _summary(found: Bisection) -> str:
    if found.error.passed and found.clean:
        verdict = f"all {found.operators} agree"
    elif found.ended is not None and not found.wrong:
        verdict = f"none of {found.operators} named"
    else:
        verdict = f"{len(found.wrong)} of {found.operators} wrong"
    parts = [
        f"{verdict} with {found.reference} on {found.input}, {found.tolerance:.0e} allowed, "
        f"{found.runs} run{'s' * (found.runs != 1)} in {found.runtime}"
    ]
    if found.repeat_error > _VISIBLE_ERROR:
        parts.append(f"two runs differ, by {found.repeat_error:.1e} of the largest output")
    if found.refused:
        parts.append(f"{found.refused} cut file{'s' * (found.refused != 1)} did not run there")
    if found.unseen and found.ended is None:
        parts.append(
            f"not judged: {found.unseen} operators that read what cannot be fed, or give what "
            "cannot be compared"
        )
    if found.ended is not None:
        parts.append(f"ENDED EARLY: {found.ended}")
    return "; ".join(parts)


def _row(number: int, wrong: WrongPart) -> list[str]:
    names = [f"{name} ({kind})" for name, kind in zip(wrong.operators, wrong.kinds, strict=True)]
    listed = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}, {len(names)} together"
    clauses = [wrong.reason or wrong.error.note, wrong.advice]
    if wrong.together:
        clauses.insert(0, "each is right alone")
    return [
        str(number),
        listed,
        wrong.module or "",
        f"{wrong.error.max_rel_error:.1e}",
        ", ".join(map(_range, wrong.reads)),
        "; ".join(filter(None, clauses)),
        wrong.reproducer or "",
    ]


def _range(value: ValueRange) -> str:
    if value.minimum is None:
        return f"{value.name}: no finite number"
    return f"{value.name}: {value.minimum:.3g}..{value.maximum:.3g}"
