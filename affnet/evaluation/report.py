"""An evaluation as a person and as a program reads it."""

from __future__ import annotations

import dataclasses
from typing import Any

from affnet.evaluation.agreement import Agreement
from affnet.evaluation.classification import Accuracy
from affnet.evaluation.classifiers import Classifier


def record(
    classifier: Classifier, accuracy: Accuracy, agreement: Agreement | None
) -> dict[str, Any]:
    """Return the machine-readable form."""
    return {
        "artifact": classifier.name,
        "proven": classifier.proven,
        "runtime": classifier.runtime,
        "precision": classifier.precision,
        "dataset": accuracy.dataset,
        "fingerprint": accuracy.fingerprint,
        "images": accuracy.images,
        "top1": accuracy.top1,
        "top1_interval": list(accuracy.top1_interval),
        "top5": accuracy.top5,
        "top5_interval": list(accuracy.top5_interval) if accuracy.top5_interval else None,
        "images_per_second": accuracy.images_per_second if classifier.untimed is None else None,
        "agreement": dataclasses.asdict(agreement) if agreement else None,
        "skipped": list(accuracy.skipped),
    }


def fields(
    classifier: Classifier, accuracy: Accuracy, agreement: Agreement | None
) -> dict[str, object]:
    """Return names and values as the command prints them."""
    skipped = f" ({len(accuracy.skipped)} skipped)" if accuracy.skipped else ""
    shown: dict[str, object] = {
        "artifact": classifier.name,
        "runtime": f"{classifier.runtime}, {classifier.precision}",
        "data": f"{accuracy.dataset}, {accuracy.images} images{skipped}",
        "top-1": _share(accuracy.top1, accuracy.top1_interval),
    }
    if accuracy.top5 is not None and accuracy.top5_interval is not None:
        shown["top-5"] = _share(accuracy.top5, accuracy.top5_interval)
    shown["throughput"] = (
        f"{accuracy.images_per_second:.0f} images/s, decoding not counted"
        if classifier.untimed is None
        else f"not reported: {classifier.untimed}"
    )
    if agreement:
        shown["agreement"] = (
            f"{agreement.agreeing} of {agreement.images} images get the class that PyTorch gives "
            f"({agreement.against}, top-1 {100 * agreement.top1:.1f} %)"
        )
    return shown


def _share(value: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{100 * value:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
