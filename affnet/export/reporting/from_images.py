"""What ``affnet verify --from-images`` says, for machines and for people."""

from __future__ import annotations

import dataclasses
from typing import Any

from affnet.artifact import Artifact
from affnet.export.verification.from_images import FromImages, ImageParity
from affnet.table import Table, numbers, texts
from affnet.units import PERCENT

_SHOWN = 10  # pictures that disagree
_WORTH_A_WARNING = 0.01  # of the pictures that get another class


def record(artifact: Artifact, found: FromImages) -> dict[str, Any]:
    """Return the machine-readable form: every picture, and every resizer."""
    return {
        "artifact": str(artifact.path),
        "preprocessing": dataclasses.asdict(artifact.pixel_contract()),
        "passed": found.passed,
        "tolerance": found.tolerance,
        "top1": found.top1,
        "images": [dataclasses.asdict(one) for one in found.images],
        "skipped": list(found.skipped),
        "resizers": [dataclasses.asdict(one) for one in found.costs],
    }


def fields(artifact: Artifact, found: FromImages) -> dict[str, str]:
    """Return the same for people, with the first pictures that disagree."""
    images = found.images
    same_pixels = sum(one.pixel_difference == 0 for one in images)
    same_class = sum(one.label == one.label_pytorch for one in images)
    worst = max(images, key=lambda one: one.max_rel_error)
    shown = {
        "artifact": str(artifact.path),
        "pixels": str(artifact.pixel_contract()),
        "pictures": f"{len(images)}, {len(found.skipped)} skipped",
        "pixels of training": f"{same_pixels} of {len(images)}, to the last bit",
        "PyTorch's class": f"{same_class} of {len(images)}",
        "largest error": f"{worst.max_rel_error:.1e} of the largest logit, on {worst.image} "
        f"({found.tolerance:.0e} allowed)",
    }
    if found.top1 is not None:
        shown["top-1"] = PERCENT.text(found.top1)
    differing = [one for one in images if one.pixel_difference or one.label != one.label_pytorch]
    if differing:
        named = "; ".join(map(_text, differing[:_SHOWN]))
        rest = len(differing) - _SHOWN
        shown["they differ on"] = named + (f"; and {rest} more" if rest > 0 else "")
    return shown


def _text(one: ImageParity) -> str:
    return (
        f"{one.image}: pixels by up to {one.pixel_difference}, class {one.label}, PyTorch's "
        f"{one.label_pytorch}"
    )


def resizers(found: FromImages) -> Table:
    """Return what other resizers would change, a row each."""
    headings = [
        *texts("resized by"),
        *numbers("mean difference", "other class", "top-1 change"),
    ]
    rows = [
        (
            cost.resizer,
            f"{cost.mean_difference:.2f}",
            PERCENT.text(cost.changed),
            "-" if cost.top1_change is None else f"{cost.top1_change:+.1f} points",
        )
        for cost in found.costs
    ]
    return Table(headings, rows)


def warning(found: FromImages) -> str | None:
    """Return a sentence on what another resizer would cost at worst; None if nothing much."""
    worst = max(found.costs, key=lambda cost: cost.changed)
    if worst.changed < _WORTH_A_WARNING:
        return None
    return (
        f"Resized as {worst.resizer}, {PERCENT.text(worst.changed)} of these pictures get "
        "another class: resize as the manifest states, or take the code of affnet package."
    )
