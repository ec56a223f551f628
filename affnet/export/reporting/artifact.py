"""What ``export``, ``verify`` and ``inspect`` say of an artifact, for machines and for people."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from affnet.artifact import Artifact
from affnet.dynamic_axes import DynamicAxis
from affnet.export.converters.executorch.delegation import DELEGATION_DETAILS
from affnet.export.quantization.accuracy import chance_warning
from affnet.export.reporting.proofs import proof_fields, proof_records
from affnet.export.verification.compare import HeldOutAgreement
from affnet.export.verification.subject import Subject
from affnet.files import content_bytes
from affnet.parity import Parity
from affnet.preprocessing import Preprocessing
from affnet.runtimes import runtime_for
from affnet.units import MEGABYTES, MILLIONS, PERCENT

_PARTS_TOLD = 6  # of those that stay in float32


def parity_record(
    artifact: Artifact, parity: Parity | None, subject: Subject | None = None
) -> dict[str, Any]:
    """Return the machine-readable form of an export, or of a verification of an artifact.

    ``subject`` is what was compared, if that was in another runtime than the format's own.
    """
    manifest = artifact.manifest
    return {
        **verdict_record(subject or Subject.of(artifact), parity),
        "fft_plan": manifest.fft_plan,
        "route": manifest.route,
        "fallbacks": list(manifest.fallbacks),
        "weights": manifest.provenance.weights,
        **({"proofs": proof_records(manifest.proofs)} if manifest.proofs else {}),
    }


def verdict_record(subject: Subject, parity: Parity | None) -> dict[str, Any]:
    """Return the machine-readable form of a comparison, of a file with or without a manifest."""
    return {
        "artifact": str(subject.path),
        "format": subject.format,
        "runtime": subject.engine.name,
        "max_abs_error": parity.max_abs_error if parity else None,
        "max_rel_error": parity.max_rel_error if parity else None,
        "psnr_db": parity.psnr_db if parity else None,
        "top1_agreement": parity.top1_agreement if parity else None,
        "passed": parity.passed if parity else None,
        "tolerance": parity.tolerance if parity else None,
        "inputs": [dataclasses.asdict(one) for one in parity.details] if parity else None,
        "file_bytes": content_bytes(subject.path),
    }


def parity_fields(
    artifact: Artifact, parity: Parity | None, subject: Subject | None = None
) -> dict[str, str]:
    """Return the same for people, name to value."""
    manifest = artifact.manifest
    fields = {
        "artifact": f"{artifact.path} ({MEGABYTES.text(artifact.file_bytes)})",
        "weights": manifest.provenance.weights,
        "FFT plan": plan_text(manifest.fft_plan),
    }
    if manifest.fallbacks:
        tried = "; ".join(f"{f['fft']} by {f['route']}: {f['reason']}" for f in manifest.fallbacks)
        taken = f"{manifest.precision} by {manifest.route}"
        fields["fell back"] = f"to {taken} after {tried}"
    if manifest.dynamic:
        fields["dynamic axes"] = ", ".join(map(str, manifest.dynamic))
    fields |= delegation_fields(manifest.details) | precision_fields(manifest.details)
    if parity is None:
        return {**fields, "verified": "no (--no-verify)"}
    compared = subject or Subject.of(artifact)
    return fields | _verdict(compared, parity) | proof_fields(manifest.proofs)


def verdict_fields(subject: Subject, parity: Parity) -> dict[str, str]:
    """Return a `verdict_record` of a file without a manifest for people."""
    return {
        "file": f"{subject.path} ({MEGABYTES.text(content_bytes(subject.path))})",
        "precision": f"{subject.precision}, as the file says (it has no manifest)",
        **_verdict(subject, parity),
    }


def _verdict(subject: Subject, parity: Parity) -> dict[str, str]:
    inputs = "images" if subject.input.is_image else "inputs"
    verdict = "agrees with PyTorch" if parity.passed else "DISAGREES with PyTorch"
    worst = f", on {parity.worst.name}" if parity.worst else ""
    fields = {
        "verified": f"{verdict} in {subject.computed_as}, {parity.inputs} {inputs}",
        "largest error": f"{parity.max_rel_error:.1e} of the largest output{worst} "
        f"({parity.tolerance:.0e} allowed)",
        "PSNR": f"{parity.psnr_db:.1f} dB",
    }
    if subject.input.is_image or any(one.class_axis is not None for one in subject.outputs):
        # of any other numbers the largest means nothing, and where two are equal it is of rounding
        fields["top-1 agreement"] = PERCENT.text(parity.top1_agreement)
    if left := [one for one in parity.details if one.note]:
        fields["remarks"] = "; ".join(f"{one.name}: {one.note}" for one in left)
    return fields


def held_out_record(agreement: HeldOutAgreement) -> dict[str, Any]:
    """Return the machine-readable form of a comparison on held-out images."""
    return {
        "images": agreement.images,
        "agreeing": agreement.agreeing,
        "top1": agreement.top1,
        "top1_pytorch": agreement.top1_pytorch,
        "max_rel_error": agreement.max_rel_error,
    }


def held_out_fields(agreement: HeldOutAgreement) -> dict[str, str]:
    """Return the same for people."""
    return {
        "held-out images": f"{agreement.agreeing} of {agreement.images} get PyTorch's class",
        "held-out top-1": f"{PERCENT.text(agreement.top1)} "
        f"(PyTorch {PERCENT.text(agreement.top1_pytorch)})",
    }


def inspection_record(artifact: Artifact) -> dict[str, Any]:
    """Return what a file holds, in machine-readable form."""
    manifest = artifact.manifest
    operators = runtime_for(manifest.format).operators(artifact.path)
    return {
        "artifact": str(artifact.path),
        "proven": artifact.proven,
        "format": manifest.format,
        "task": manifest.task,
        "file_bytes": artifact.file_bytes,
        "operators": dict(sorted(operators.items(), key=lambda item: (-item[1], item[0]))),
        "inputs": [
            {"name": i.name, "shape": list(i.shape), "dtype": i.dtype, "layout": i.layout}
            for i in manifest.inputs
        ],
        "outputs": [
            {"name": o.name, "shape": list(o.shape), "dtype": o.dtype} for o in manifest.outputs
        ],
        "dynamic": [dataclasses.asdict(axis) for axis in manifest.dynamic],
        "preprocessing": (
            dataclasses.asdict(manifest.preprocessing) if manifest.preprocessing else None
        ),
        "fft_plan": manifest.fft_plan,
        "precision": manifest.precision,
        "delegated_share": manifest.details.get("delegated_share"),
        "parameters": manifest.parameters,
        "macs": manifest.macs,
        "details": manifest.details,
        "weights": manifest.provenance.weights,
        "labels": list(manifest.labels) if manifest.labels else None,
        "tools": manifest.tools,
    }


def inspection_fields(record: dict[str, Any]) -> dict[str, str]:
    """Return an `inspection_record` for people."""
    operators = ", ".join(f"{name} {count}" for name, count in record["operators"].items())
    inputs, outputs = (
        [
            f"{t['name']} {'x'.join(map(str, t['shape']))} {t['dtype']} {t.get('layout') or ''}"
            for t in record[side]
        ]
        for side in ("inputs", "outputs")
    )
    contract = record["preprocessing"]
    dynamic = [DynamicAxis(**axis) for axis in record["dynamic"]]
    delegation = delegation_fields(record["details"])
    details = [
        f"{name} {_as_text(value)}"
        for name, value in record["details"].items()
        if name not in (*DELEGATION_DETAILS, *_PRECISION_DETAILS)
    ]
    return {
        "artifact": f"{record['artifact']} ({MEGABYTES.text(record['file_bytes'])})",
        **(
            {}
            if record["proven"]
            else {"unproven": "not exported by affnet, which has no manifest"}
        ),
        "format": ", ".join([record["format"], *details]),
        "precision": record["precision"],
        "task": record["task"],
        "input": ", ".join(inputs).rstrip(),
        **({"dynamic axes": ", ".join(map(str, dynamic))} if dynamic else {}),
        "pixels": str(Preprocessing(**contract)) if contract else "unknown: it takes no pictures",
        "output": ", ".join(output.rstrip() for output in outputs),
        "labels": ", ".join(record["labels"]) if record["labels"] else "none",
        "weights": record["weights"],
        "parameters": _millions(record["parameters"]),
        "multiply-accumulates": _millions(record["macs"]),
        "FFT plan": plan_text(record["fft_plan"]),
        "operators": f"{sum(record['operators'].values())}: {operators}",
        **delegation,
        **precision_fields(record["details"]),
        "made with": ", ".join(f"{name} {version}" for name, version in record["tools"].items())
        or "unknown",
    }


def _millions(count: int | None) -> str:
    return "unknown" if count is None else MILLIONS.text(count)


def delegation_fields(details: dict[str, Any]) -> dict[str, str]:
    """Return what a delegate executes, and what it does not and why; empty without a delegate."""
    if "delegated_share" not in details:
        return {}
    undelegated = details["undelegated"]
    inside = sum(details["delegated"].values())
    total = inside + sum(entry["count"] for entry in undelegated)
    fields = {
        "delegated": f"{PERCENT.text(details['delegated_share'])} "
        f"({inside} of {total} operators, in {details['delegated_parts']} part(s))"
    }
    if undelegated:
        fields["not delegated"] = "; ".join(
            f"{entry['operator']} {entry['count']} ({entry['reason']})" for entry in undelegated
        )
    return fields


def precision_fields(details: dict[str, Any]) -> dict[str, str]:
    """Return how exact a file is: its pixels, what calibrated it, and what that costs; if known."""
    fields = {}
    if "pixels" in details:
        equal = PERCENT.text(details["pixels"]["equal"])
        largest = f"at most {details['pixels']['largest']:g} of 255 off Pillow"
        fields["preprocessing inside"] = f"{largest}, {equal} equal"
    if "calibration" in details:
        fields["calibrated on"] = details["calibration"]
    if "float_parts" in details:
        fields["kept in float32"] = _kept_text(details["float_parts"])
    if kept := details.get("float16", {}).get("kept_parts"):
        fields["kept in float32"] = _half_text(kept, details["float16"]["tried_on"])
    if kept := details.get("keep_float"):
        fields["asked to keep in float32"] = ", ".join(kept)
    if "accuracy_drop" in details:
        fields["accuracy"] = _accuracy_text(details)
    if warning := chance_warning(details):
        fields["warning"] = warning
    return fields


def _accuracy_text(details: dict[str, Any]) -> str:
    """Say what a file and PyTorch get right of the same images, and what may be lost."""
    where = f" on {details['judged_in']}" if "judged_in" in details else ""
    own, reference = (PERCENT.text(details[name]) for name in ("top1", "top1_pytorch"))
    if "right" in details:  # manifests of older versions hold only the shares
        own = f"{own}, {details['right']}"
        reference = f"{reference}, {details['right_pytorch']}"
    bound = details["max_accuracy_drop"]
    allowed = f"{bound:g} point{'' if bound == 1 else 's'} may be lost"
    if not details.get("classes_known", True):
        return f"PyTorch's class in {own}{where} of {details['judged_on']} ({allowed})"
    return f"top-1 {own}{where} (PyTorch {reference}) of {details['judged_on']} ({allowed})"


def _kept_text(kept: Sequence[dict[str, Any]]) -> str:
    """Say which parts stay in float32, the worst by name: a network may have a hundred."""
    if not kept:
        return "no part needs it to hold the accuracy"
    parts = ", ".join(f"{entry['part']} ({entry['error']:.1%})" for entry in kept[:_PARTS_TOLD])
    more = f" and {len(kept) - _PARTS_TOLD} more (see the manifest)" if kept[_PARTS_TOLD:] else ""
    return f"{parts}{more}: the logits' error with each alone in 8 bits"


def _half_text(kept: Sequence[dict[str, Any]], place: str) -> str:
    """Say which parts a device's float16 arithmetic hurts, the worst first."""
    parts = ", ".join(entry["part"] for entry in kept[:_PARTS_TOLD])
    more = f" and {len(kept) - _PARTS_TOLD} more (see the manifest)" if kept[_PARTS_TOLD:] else ""
    return f"{parts}{more}, for the float16 arithmetic of {place}"


#: What `precision_fields` gives.
_PRECISION_DETAILS = (
    "pixels",
    "calibration",
    "float_parts",
    "judged_on",
    "judged_in",
    "top1",
    "top1_pytorch",
    "right",
    "right_pytorch",
    "classes_known",
    "at_chance",
    "accuracy_drop",
    "max_accuracy_drop",
)


def plan_text(plan: dict[str, str]) -> str:
    """Return an FFT plan in one line."""
    return ", ".join(f"{size} {name}" for size, name in plan.items()) or "none needed"


def _as_text(value: Any) -> str:
    """Return a detail of a manifest without JSON's braces and quotes."""
    if isinstance(value, Mapping):
        return f"({', '.join(f'{name} {_as_text(one)}' for name, one in value.items())})"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_as_text, value))}]"
    return str(value)
