"""An export from request to report: one file, one under a bound, or the best of all precisions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from affnet.artifact import Artifact
from affnet.call_stack import roomy
from affnet.errors import MissingError
from affnet.export.autotuning.accuracy_bound import export_bounded
from affnet.export.autotuning.plan_timing import Timer
from affnet.export.autotuning.precision_search import Choice, choose_precision
from affnet.export.provenance import shared_provenance
from affnet.export.quantization import AUTO
from affnet.export.quantization.accuracy import chance_warning
from affnet.export.replaced import replacement, sources_in
from affnet.export.request import ExportRequest
from affnet.export.resolve import OpenTimer, ResolvedExport, resolve
from affnet.runtimes import check_measurable, runtime_for

Progress = Callable[[str], None]


@dataclass(frozen=True)
class ExportReport:
    """What an export gave: the file, how it was chosen, and what the user should know."""

    artifact: Artifact | None  # None where a search found no precision within the bound
    choice: Choice | None  # of a search
    notes: tuple[str, ...]  # a sentence each
    seconds: float


@roomy
def run(
    request: ExportRequest, open_timer: OpenTimer, progress: Progress = lambda _: None
) -> ExportReport:
    """Resolve a request and export it.

    ``open_timer`` is called where plans or precisions are compared by their latency.

    Raises:
        AccuracyError: no file holds the accuracy bound; it has the attempts.
        AffnetError: as `resolve` and `affnet.export.pipeline.export_artifact`.
    """
    started = time.perf_counter()
    resolved = resolve(request, open_timer, progress)
    source, options, output = resolved.source, resolved.options, resolved.output
    before = sources_in(output)
    notes = list(resolved.notes)
    choice = None
    if options.precision == AUTO:
        with _timer(resolved, open_timer, progress) as (timer, reason):
            choice = choose_precision(source, options, output, timer, progress)
        artifact = choice.artifact
        if reason is not None:
            notes.append(f"The smallest file is taken: {reason}")
    else:
        with shared_provenance():
            artifact = export_bounded(source, options, output, progress)
    if artifact and (warning := chance_warning(artifact.manifest.details)):
        notes.append(warning)
    if artifact and (lost := _lost_delegate(artifact)):
        notes.append(lost)
    if artifact and (replaced := replacement(before, artifact)):
        notes.append(replaced)
    return ExportReport(artifact, choice, tuple(notes), time.perf_counter() - started)


def _lost_delegate(artifact: Artifact) -> str | None:
    """Return why a file that could have a delegate runs without, and so slowly, in a sentence."""
    manifest = artifact.manifest
    if manifest.details.get("delegated_parts") != 0 or not manifest.fallbacks:
        return None
    reason = manifest.fallbacks[0]["reason"].removesuffix(".")
    return f"Nothing of {artifact.path.name} is delegated to XNNPACK, so that it is slow: {reason}."


@contextmanager
def _timer(
    resolved: ResolvedExport, open_timer: OpenTimer, progress: Progress
) -> Iterator[tuple[Timer | None, str | None]]:
    """Give a timer; none, but the reason, where this host only emulates the runtime."""
    runtime, device = runtime_for(resolved.options.format), resolved.request.device
    try:
        if device == "host":
            check_measurable(runtime)
    except MissingError as error:
        yield None, str(error)
        return
    with open_timer(device, runtime.name, progress=progress) as timer:
        yield timer, None
