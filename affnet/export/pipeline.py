"""From a source to a verified artifact."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from affnet import __version__
from affnet.artifact import Artifact, Manifest, image_spec, manifest_path
from affnet.errors import (
    AffnetError,
    ArtifactError,
    ConversionError,
    RewriteError,
    VerificationError,
)
from affnet.export.borders import replaced_types
from affnet.export.conversion import conversion_request
from affnet.export.converters import Conversion, ConversionRequest, Converter, get_converter
from affnet.export.converters.fallbacks import Attempt, failure_of, plan_attempts
from affnet.export.converters.gaps import with_line
from affnet.export.converters.patches import without_stack_traces
from affnet.export.fourier.costs import PredictedCosts
from affnet.export.options import ExportOptions, check_options, settled
from affnet.export.passes.heads import NO_HEAD, with_head
from affnet.export.prepare import prepare_network
from affnet.export.proof import proven
from affnet.export.verification.reference import Reference
from affnet.files import (
    all_files,
    content_sha256,
    publish,
    staging_folder,
    translating_os_errors,
    write_and_sync,
)
from affnet.garbage import collected_rarely
from affnet.graph_code import graph_code_when_run, origins_shared
from affnet.model.cost import count_macs, count_parameters
from affnet.model.random_state import leaving_random_state
from affnet.model.source import Source
from affnet.runtimes import runtime_for

Progress = Callable[[str], None]


def export_artifact(
    source: Source,
    options: ExportOptions,
    output: str | Path,
    progress: Progress = lambda _: None,
) -> Artifact:
    """Check ``options``, export ``source`` into the folder ``output``, and prove the file.

    Raises:
        UsageError: a format, precision, plan or image size that does not exist or fit.
        MissingError: a package the format needs is not installed.
        AffnetError: as `export_once`.
    """
    check_options(source, options)
    return export_once(source, options, output, progress)


@leaving_random_state
def export_once(
    source: Source,
    options: ExportOptions,
    output: str | Path,
    progress: Progress = lambda _: None,
    reference: Reference | None = None,
) -> Artifact:
    """Export ``source`` with valid options, and prove the file by running it.

    The artifact and its manifest appear only once they are whole and, unless ``options.verify``
    is off, agree with PyTorch; until then what stood there before stays.  ``reference`` is of
    ``source``; exports of the same source share one.

    Raises:
        ConversionError: the format cannot hold the network.
        VerificationError: the artifact disagrees with PyTorch.
        AccuracyError: it misses the accuracy bound.
        OutputError: it could not be written.
    """
    converter = get_converter(options.format)
    output = Path(output)
    reference = reference or Reference(source)
    options = settled(source, options)
    source = with_head(source, options.head)
    with (
        collected_rarely(),
        graph_code_when_run(),
        origins_shared(),
        staging_folder(output) as staging,
        translating_os_errors(output),
    ):
        artifact = _first_success(source, options, converter, reference, staging, progress)
        if options.head != NO_HEAD:
            details = artifact.manifest.details | {"head": options.head}
            artifact = artifact.with_manifest(details=details)
        staged_manifest = manifest_path(artifact.path)
        write_and_sync(staged_manifest, artifact.manifest.to_json().encode())
        target, *_ = publish([*all_files(artifact.path), staged_manifest], output)
    return Artifact(target, artifact.manifest)


def _first_success(
    source: Source,
    options: ExportOptions,
    converter: type[Converter],
    reference: Reference,
    staging: Path,
    progress: Progress,
) -> Artifact:
    """Make one attempt after the other until one converts and, if asked, agrees with PyTorch.

    A file that its own runtime rejects is a failed attempt too.
    """
    failures: list[tuple[Attempt, AffnetError]] = []
    attempts = plan_attempts(
        options.fft, converter, options.precision, with_plans=source.program is None
    )
    for number, attempt in enumerate(attempts):
        if failures:
            before, error = failures[-1]
            if _widens(before, attempt) and not isinstance(error, VerificationError):
                continue  # it would end in the same way
            progress(f"{error} Trying {attempt} instead")
        folder = staging / str(number)
        folder.mkdir()
        try:
            artifact = _convert(source, options, converter, attempt, reference, folder, progress)
            artifact = artifact.with_manifest(fallbacks=tuple(map(_recorded, failures)))
            if not options.verify:
                return artifact
            return proven(artifact, source, options, reference, progress)
        except (ArtifactError, ConversionError, VerificationError) as error:
            failures.append((attempt, error))
            if isinstance(error, RewriteError):
                break
    failure = failure_of(failures)
    if source.program is not None:
        failure = with_line(failure, source.program)
    raise failure from failures[0][1]


def _recorded(failure: tuple[Attempt, AffnetError]) -> dict[str, str]:
    """Return what the manifest says of a failed attempt."""
    attempt, error = failure
    return dataclasses.asdict(attempt) | {"reason": str(error)}


def _widens(before: Attempt, attempt: Attempt) -> bool:
    """Return whether an attempt differs from the one before it in its precision alone."""
    return dataclasses.replace(before, precision=attempt.precision) == attempt


def _convert(
    source: Source,
    options: ExportOptions,
    converter: type[Converter],
    attempt: Attempt,
    reference: Reference,
    folder: Path,
    progress: Progress,
) -> Artifact:
    """Make the file of one attempt, and describe it."""
    taken = (image_spec(*options.image_size),) if options.image_size else source.inputs
    shape = taken[0].static_shape()
    progress(f"Preparing {source.name} for inputs of {' x '.join(map(str, shape))}")
    costs = options.costs or PredictedCosts(runtime_for(options.format).name)
    prepared = prepare_network(source, shape, attempt.fft, converter, attempt.precision, costs)
    native_fft = attempt.fft == "native" and bool(prepared.fft_plan)
    request = conversion_request(
        source, options, converter, attempt, reference, native_fft, progress
    )
    # not every network takes zeros (a matrix of them has no inverse), but its user's example
    macs = count_macs(prepared.module, source.example or request.example(least=1))
    progress(f"Converting {source.name} to {options.format}")
    with without_stack_traces():
        conversion = converter().convert(prepared.module, request, folder)
    tools = {"affnet": __version__, **{t: metadata.version(t) for t in converter.tools}}
    borders = (*taken, *source.outputs_for(taken[0]))
    if replaced := replaced_types(borders, (*request.inputs, *request.outputs)):
        conversion.details["types"] = replaced
    manifest = _describe(
        source, options.format, request, conversion, prepared.fft_plan, macs, tools
    )
    details = dict(manifest.details)
    if source.captured:
        details["capture"] = source.captured
    if options.keep_float:
        details["keep_float"] = [*options.keep_float]
    return Artifact(conversion.path, dataclasses.replace(manifest, details=details))


def _describe(
    source: Source,
    format_: str,
    request: ConversionRequest,
    conversion: Conversion,
    fft_plan: dict[str, str],
    macs: int,
    tools: dict[str, str],
) -> Manifest:
    """Write down all that is known before the artifact has run."""
    return Manifest(
        model=source.name,
        format=format_,
        precision=request.precision,
        sha256=content_sha256(conversion.path),
        inputs=conversion.inputs or request.inputs,
        outputs=conversion.outputs or request.outputs,
        labels=source.labels,
        fft_plan=fft_plan,
        route=request.route,
        fallbacks=(),
        details=conversion.details,
        provenance=source.provenance,
        parameters=count_parameters(source.model),
        macs=macs,
        published=dataclasses.asdict(source.published) if source.published else None,
        tools=tools,
        parity=None,
        task=source.task,
        dynamic=source.dynamic,
        preprocessing=(
            request.pixels.stated()
            if request.pixels is not None
            else source.preprocessing_for(request.input)
        ),
    )
