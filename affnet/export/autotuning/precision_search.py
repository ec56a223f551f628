"""Choosing a precision by what each costs in accuracy, in time and in space.

Every precision of a format is tried, because which one is fast is the runtime's secret: 8 bits are
slower than 32 where a processor lacks the instruction, and float16 is float32 between casts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from affnet.artifact import Artifact, manifest_path
from affnet.errors import (
    AccuracyError,
    ArtifactError,
    ConversionError,
    VerificationError,
)
from affnet.export.autotuning.accuracy_bound import export_bounded
from affnet.export.autotuning.plan_timing import Timer
from affnet.export.converters import get_converter
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_once
from affnet.export.quantization import CALIBRATED
from affnet.export.verification.reference import Reference
from affnet.files import publish, staging_folder, translating_os_errors
from affnet.model.source import Source

#: Latencies this near to the best are no difference; the smaller file is taken.
_ALIKE = 1.03
_UNBOUNDED = 100.0  # points: no file can lose more


@dataclass(frozen=True)
class Candidate:
    """A precision that was tried; None stands for what there is no file to measure by."""

    precision: str
    top1: float | None  # 0..1, on the images that calibrated it
    drop_points: float | None  # below PyTorch's top-1
    file_bytes: int | None
    latency_us: float | None  # median, all candidates timed in turns
    float_parts: int | None  # parts that stay in float32, where there are such
    holds: bool  # whether it loses no more than the bound
    verdict: str  # why it was taken or not


@dataclass(frozen=True)
class Choice:
    """What was tried, and the file that was taken: None if none holds the bound."""

    artifact: Artifact | None
    candidates: tuple[Candidate, ...]  # in the order of the format's precisions
    max_drop: float  # points of top-1
    top1_pytorch: float  # 0..1
    images: str  # what they were judged by
    timed_by: str | None  # the runtime that timed them; None if nothing was timed


@dataclass(frozen=True)
class _Trial:
    precision: str
    artifact: Artifact | None
    holds: bool
    error: str | None


def choose_precision(
    source: Source,
    options: ExportOptions,
    output: Path,
    timer: Timer | None,
    progress: Callable[[str], None] = lambda _: None,
) -> Choice:
    """Export in each precision, and keep the fastest file that holds the bound.

    Files whose latencies are within 3 % of the fastest count as equally fast; the smallest of
    them is taken.

    Args:
        source: what to export.
        options: valid ones; ``precision`` is ignored, ``calibration`` and ``max_accuracy_drop`` are
            given.
        output: the folder that the chosen file appears in.
        timer: times the files side by side; without one the smallest file is taken.
        progress: called with each step.

    Raises:
        ConversionError, VerificationError: no precision gives a file that agrees with PyTorch.
    """
    assert options.max_accuracy_drop is not None
    precisions = get_converter(options.format).precisions
    reference = Reference(source)
    with staging_folder(output) as staging, translating_os_errors(output):
        trials = [
            _try(source, dataclasses.replace(options, precision=name), staging, progress, reference)
            for name in precisions
        ]
        made = [trial.artifact for trial in trials if trial.artifact]
        if not made:
            raise ConversionError(f"No precision can be exported: {trials[0].error}")
        latencies: dict[Path, float] = {}
        if timer is not None:
            progress(f"Timing {len(made)} files in turns on {timer.runtime}")
            measured = timer.medians_us(made)
            latencies = {a.path: us for a, us in zip(made, measured, strict=True)}
        fast = _fastest([t.artifact for t in trials if t.artifact and t.holds], latencies)
        taken = min(fast, key=lambda artifact: artifact.file_bytes, default=None)
        candidates = tuple(
            _candidate(trial, latencies, _verdict(trial, taken, fast, options)) for trial in trials
        )
        published = _published(taken, output) if taken else None
    return Choice(
        artifact=published,
        candidates=candidates,
        max_drop=options.max_accuracy_drop,
        top1_pytorch=made[0].manifest.details["top1_pytorch"],
        images=made[0].manifest.details["judged_on"],
        timed_by=timer.runtime if timer else None,
    )


def _try(
    source: Source,
    options: ExportOptions,
    staging: Path,
    progress: Callable[[str], None],
    reference: Reference,
) -> _Trial:
    """Export in one precision; what misses the bound is made nevertheless, to be measured."""
    precision = str(options.precision)
    folder = staging / precision

    def show(step: str) -> None:
        progress(f"{precision}: {step}")

    try:
        try:
            made = export_bounded(source, options, folder, show, reference)
            return _Trial(precision, made, True, None)
        except AccuracyError as error:
            show(str(error))
            unbounded = dataclasses.replace(options, max_accuracy_drop=_UNBOUNDED)
            missed = export_once(source, unbounded, folder, show, reference)
            return _Trial(precision, missed, False, None)
    except (ArtifactError, ConversionError, VerificationError) as error:
        show(str(error))
        return _Trial(precision, None, False, str(error))


def _fastest(artifacts: list[Artifact], latencies: dict[Path, float]) -> list[Artifact]:
    """Return those that are as fast as the fastest; all where nothing was timed."""
    if not artifacts or not latencies:
        return artifacts
    fastest = min(latencies[artifact.path] for artifact in artifacts)
    return [a for a in artifacts if latencies[a.path] <= _ALIKE * fastest]


def _verdict(
    trial: _Trial, taken: Artifact | None, fast: list[Artifact], options: ExportOptions
) -> str:
    if trial.artifact is None:
        return f"failed: {trial.error}"
    if not trial.holds:
        spared = trial.precision in CALIBRATED
        whatever = ", whatever stays in float32" if spared else ""
        return f"loses more than {options.max_accuracy_drop:g} points{whatever}"
    if trial.artifact is taken:
        return "taken"
    return "larger" if trial.artifact in fast else "slower"


def _candidate(trial: _Trial, latencies: dict[Path, float], verdict: str) -> Candidate:
    artifact = trial.artifact
    if artifact is None:
        return Candidate(trial.precision, None, None, None, None, None, False, verdict)
    details = artifact.manifest.details
    parts = details.get("float_parts")
    return Candidate(
        precision=trial.precision,
        top1=details["top1"],
        drop_points=details["accuracy_drop"],
        file_bytes=artifact.file_bytes,
        latency_us=latencies.get(artifact.path),
        float_parts=len(parts) if parts is not None else None,
        holds=trial.holds,
        verdict=verdict,
    )


def _published(artifact: Artifact, output: Path) -> Artifact:
    target, _ = publish([artifact.path, manifest_path(artifact.path)], output)
    return Artifact(target, artifact.manifest)
