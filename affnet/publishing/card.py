"""The model card of an artifact: the README.md of its repository, made from its manifest.

Whatever comes from a manifest is data: no name or label of it is read as markup.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

from affnet.artifact import Artifact, TensorSpec
from affnet.errors import printable
from affnet.escaping import for_markdown
from affnet.files import content_bytes, content_sha256
from affnet.model.bundled import licence_of_weights
from affnet.parity import Parity
from affnet.publishing.contents import contents
from affnet.table import Table, numbers, texts
from affnet.units import MEGABYTES, MILLIONS, PERCENT

_PIPELINES = {
    "classification": "image-classification",
    "segmentation": "image-segmentation",
    "detection": "object-detection",
}
_MOST_LABELS = 100  # a card lists; the manifest has them all


def model_card(
    artifact: Artifact, repository: str, licence: str | None = None, measured: str = ""
) -> str:
    """Return the text of a card, in Markdown below its metadata in YAML.

    Args:
        artifact: what the repository holds.
        repository: ``user/name``, which the card says how to download.
        licence: of the weights, as the hub names it; None takes that of bundled weights.
        measured: the table of latencies, in Markdown.
    """
    licence = licence or licence_of_weights(artifact.manifest.provenance)
    parts = [
        _metadata(artifact, licence),
        f"# {for_markdown(artifact.manifest.model)}\n\n{_summary(artifact)}\n",
        _section("How to use", _usage(artifact, repository)),
        _section("Files", _files(artifact)),
        _section("Input and output", _tensors(artifact)),
        _section("Agreement with PyTorch", _parity(artifact.manifest.parity)),
        _section("Proven on other processors", _proofs(artifact)),
        _section("Accuracy", _accuracy(artifact)),
        _section("Latency", measured),
        _section("Fourier transforms", _plan(artifact)),
        _section("Classes", _labels(artifact)),
        _section("Licence", _licence(licence)),
        _section("Made with", _tools(artifact)),
    ]
    return "\n".join(part for part in parts if part)


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text.rstrip()}\n" if text else ""


def _metadata(artifact: Artifact, licence: str | None) -> str:
    """Return the block that a hub reads: YAML, in which names are strings whatever they hold."""
    import yaml

    manifest = artifact.manifest
    content: dict[str, Any] = {"license": printable(licence)} if licence else {}
    if manifest.task in _PIPELINES:
        content["pipeline_tag"] = _PIPELINES[manifest.task]
    content["tags"] = ["affnet", printable(manifest.format), manifest.precision]
    if manifest.accuracy and manifest.task in _PIPELINES:
        content["model-index"] = [
            {"name": printable(manifest.model), "results": _evaluations(artifact)}
        ]
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{text}---\n"


def _evaluations(artifact: Artifact) -> list[dict[str, Any]]:
    task = _PIPELINES[artifact.manifest.task]
    return [
        {
            "task": {"type": task},
            "dataset": {"name": printable(one.dataset), "type": printable(one.dataset)},
            "metrics": [{"type": "accuracy", "name": "top-1", "value": one.top1}],
        }
        for one in artifact.manifest.accuracy
    ]


def _summary(artifact: Artifact) -> str:
    manifest = artifact.manifest
    sizes = [
        f"{MILLIONS.text(count)} {what}"
        for count, what in ((manifest.parameters, "parameters"), (manifest.macs, "MACs"))
        if count is not None
    ]
    parity, provenance = manifest.parity, manifest.provenance
    verdict = "was not compared with PyTorch"
    if parity is not None:
        verdict = f"{'agrees' if parity.passed else 'DISAGREES'} with PyTorch"
    return for_markdown(
        f"{_PIPELINES.get(manifest.task, 'A network')} as {manifest.format}, {manifest.precision}"
        f"{''.join(f', {size}' for size in sizes)}; exported by affnet from {provenance.kind} "
        f"{provenance.location}, weights: {provenance.weights}. The file {verdict}."
    )


def _usage(artifact: Artifact, repository: str) -> str:
    folder = repository.rpartition("/")[2]
    path = shlex.quote(printable(f"{folder}/{artifact.path.name}"))
    lines = [f"hf download {repository} --local-dir {folder}", f"affnet inspect {path}"]
    if artifact.manifest.preprocessing is not None and artifact.manifest.task in _PIPELINES:
        lines += [f"affnet run {path} photo.jpg", f"affnet package {path} --for python"]
    if any(name.endswith(".sig") for name in contents(artifact)):
        lines.append(f"affnet verify {path} --signature-only --signed-by PUBLIC_KEY")
    text = "\n".join(lines)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sh\n{text}\n{fence}\n"


def _files(artifact: Artifact) -> str:
    rows = []
    for name, path in contents(artifact).items():
        rows.append([name, MEGABYTES.number(content_bytes(path)), content_sha256(path)])
    head = [*texts("file"), *numbers(MEGABYTES.symbol), *texts("SHA-256")]
    return Table(head, rows).markdown()


def _tensors(artifact: Artifact) -> str:
    manifest = artifact.manifest
    rows = [
        [side, one.name, " x ".join(map(str, one.shape)), one.dtype, one.layout or "", _range(one)]
        for side, specs in (("input", manifest.inputs), ("output", manifest.outputs))
        for one in specs
    ]
    table = Table(texts("", "name", "shape", "type", "layout", "range"), rows).markdown()
    contract = manifest.preprocessing
    pixels = f"\nPixels: {for_markdown(str(contract))}.\n" if contract else ""
    return f"{table}{pixels}"


def _range(spec: TensorSpec) -> str:
    return "" if spec.range is None else f"{spec.range[0]:g}..{spec.range[1]:g}"


def _parity(parity: Parity | None) -> str:
    if parity is None:
        return "Not compared.\n"
    summary = (
        f"{'Agrees' if parity.passed else 'Disagrees'} on {parity.inputs} inputs: the largest "
        f"error is {parity.max_rel_error:.1e} of the largest output ({parity.tolerance:.0e} "
        f"allowed), PSNR {parity.psnr_db:.1f} dB, top-1 agreement "
        f"{PERCENT.text(parity.top1_agreement)}."
    )
    rows = [
        [
            one.name,
            f"{one.max_rel_error:.1e}",
            f"{one.psnr_db:.1f}",
            PERCENT.text(one.compared),
            "yes" if one.passed else "NO",
        ]
        for one in parity.details
    ]
    head = [*texts("input"), *numbers("largest error", "PSNR dB", "compared"), *texts("agrees")]
    return f"{summary}\n" + (f"\n{Table(head, rows).markdown()}" if rows else "")


def _proofs(artifact: Artifact) -> str:
    rows = [
        [
            one.device,
            one.cpu,
            one.runtime,
            f"{one.parity.max_rel_error:.1e}",
            "yes" if one.parity.passed else "NO",
        ]
        for one in artifact.manifest.proofs
    ]
    head = [*texts("device", "processor", "runtime"), *numbers("largest error"), *texts("agrees")]
    return Table(head, rows).markdown() if rows else ""


def _accuracy(artifact: Artifact) -> str:
    rows = [
        [
            one.dataset,
            str(one.images),
            f"{PERCENT.text(one.top1)} [{', '.join(map(PERCENT.number, one.top1_interval))}]",
            "-" if one.top5 is None else PERCENT.text(one.top5),
            one.runtime,
        ]
        for one in artifact.manifest.accuracy
    ]
    head = [*texts("data set"), *numbers("images", "top-1 [95 %]", "top-5"), *texts("runtime")]
    return Table(head, rows).markdown() if rows else ""


def _plan(artifact: Artifact) -> str:
    rows = [[size, plan] for size, plan in artifact.manifest.fft_plan.items()]
    return Table(texts("map", "plan"), rows).markdown() if rows else ""


def _labels(artifact: Artifact) -> str:
    labels = artifact.manifest.labels or ()
    rows = [[str(index), label] for index, label in enumerate(labels[:_MOST_LABELS])]
    more = len(labels) - len(rows)
    rest = f"\n{more} more are in the manifest.\n" if more > 0 else ""
    head = [*numbers("index"), *texts("class")]
    return f"{Table(head, rows).markdown()}{rest}" if rows else ""


def _licence(licence: str | None) -> str:
    if licence is None:
        return "The licence of the weights is not stated.\n"
    return f"Weights: {for_markdown(licence)}.\n"


def _tools(artifact: Artifact) -> str:
    tools: Sequence[tuple[str, str]] = sorted(artifact.manifest.tools.items())
    return Table(texts("package", "version"), tools).markdown() if tools else ""
