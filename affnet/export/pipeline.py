"""From a source to a verified artifact."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from affnet import __version__
from affnet.artifact import Artifact, Manifest, TensorSpec, image_spec, manifest_path
from affnet.errors import (
    AffnetError,
    ArtifactError,
    ConversionError,
    UnknownNameError,
    UsageError,
    VerificationError,
)
from affnet.export.attempts import Attempt, failure_of, plan_attempts
from affnet.export.converters import (
    Conversion,
    ConversionRequest,
    Converter,
    check_installed,
    get_converter,
)
from affnet.export.fourier.costs import PlanCosts, PredictedCosts
from affnet.export.fourier.planner import FFT_CHOICES
from affnet.export.heads import HEADS, with_head
from affnet.export.network import prepare_network
from affnet.export.precision import CALIBRATED
from affnet.export.precision.calibration import Calibration
from affnet.export.precision.judgement import judged
from affnet.export.precision.sensitivity import KeptFloat
from affnet.export.verification.compare import Subject, verify_against
from affnet.files import (
    content_sha256,
    publish,
    staging_folder,
    translating_os_errors,
    write_and_sync,
)
from affnet.model.cost import count_macs, count_parameters
from affnet.model.source import Source
from affnet.runtimes import runtime_for

Progress = Callable[[str], None]

_REAL_IMAGES = 32  # of those that calibrated a file, to compare it on


@dataclass(frozen=True)
class ExportOptions:
    """What the user chose; None leaves the choice to the source or the format."""

    format: str
    image_size: tuple[int, int] | None = None  # height, width
    precision: str | None = None
    fft: str = "auto"
    dynamic_batch: bool = False
    head: str | None = None  # of `affnet.export.heads.HEADS`: what follows the network in the file
    layout: str | None = None
    image_input: bool = False
    deployment_target: str | None = None
    verify: bool = True
    calibration: Calibration | None = None  # images, where ``precision`` needs them
    kept_float: tuple[KeptFloat, ...] = ()  # parts that ``precision`` leaves out
    max_accuracy_drop: float | None = None  # in points of top-1 on the images of ``calibration``
    costs: PlanCosts | None = None  # what ``fft`` measure chooses by, of `measure_plans`


def export_artifact(
    source: Source,
    options: ExportOptions,
    output: str | Path,
    progress: Progress = lambda _: None,
) -> Artifact:
    """Export ``source`` into the folder ``output`` and prove the file by running it.

    The artifact and its manifest appear only once they are whole and, unless ``options.verify``
    is off, agree with PyTorch; until then what stood there before stays.

    Raises:
        UsageError: a format, precision, plan or image size that does not exist or fit.
        MissingError: a package the format needs is not installed.
        ConversionError: the format cannot hold the network.
        VerificationError: the artifact disagrees with PyTorch.
        OutputError: it could not be written.
    """
    converter = get_converter(options.format)
    output = Path(output)
    check_request(source, options)
    source = with_head(source, options.head)
    with staging_folder(output) as staging, translating_os_errors(output):
        artifact = _first_success(source, options, converter, staging, progress)
        staged_manifest = manifest_path(artifact.path)
        write_and_sync(staged_manifest, artifact.manifest.to_json().encode())
        target, _ = publish([artifact.path, staged_manifest], output)
    return Artifact(target, artifact.manifest)


def _first_success(
    source: Source,
    options: ExportOptions,
    converter: type[Converter],
    staging: Path,
    progress: Progress,
) -> Artifact:
    """Make one attempt after the other until one converts and, if asked, agrees with PyTorch.

    A file that its own runtime rejects is a failed attempt too.
    """
    failures: list[dict[str, str]] = []
    errors: list[AffnetError] = []
    attempts = plan_attempts(options.fft, converter, with_plans=source.program is None)
    for number, attempt in enumerate(attempts):
        if errors:
            progress(f"{errors[-1]} Trying {attempt} instead")
        folder = staging / str(number)
        folder.mkdir()
        try:
            artifact = _convert(source, options, converter, attempt, folder, progress)
            artifact = artifact.with_manifest(fallbacks=tuple(failures))
            return _verified(artifact, source, options, progress) if options.verify else artifact
        except (ArtifactError, ConversionError, VerificationError) as error:
            errors.append(error)
            failures.append({"fft": attempt.fft, "route": attempt.route, "reason": str(error)})
    raise failure_of(list(zip(attempts, errors, strict=True))) from errors[0]


def _convert(
    source: Source,
    options: ExportOptions,
    converter: type[Converter],
    attempt: Attempt,
    folder: Path,
    progress: Progress,
) -> Artifact:
    """Make the file of one attempt, and describe it."""
    taken = image_spec(*options.image_size) if options.image_size else source.input
    shape = taken.static_shape()
    progress(f"Preparing {source.name} for inputs of {' x '.join(map(str, shape))}")
    costs = options.costs or PredictedCosts(runtime_for(options.format).name)
    precision = options.precision or converter.precisions[0]
    prepared = prepare_network(source, shape, attempt.fft, converter, precision, costs)
    macs = count_macs(prepared.module, shape)
    request = ConversionRequest(
        name=_file_name(source.name, precision, converter),
        input=_with_batch(taken, options.dynamic_batch),
        outputs=tuple(
            _with_batch(output, options.dynamic_batch) for output in source.outputs_for(taken)
        ),
        precision=precision,
        route=attempt.route,
        native_fft=attempt.fft == "native" and bool(prepared.fft_plan),
        layout=options.layout or converter.layouts[0],
        labels=source.labels,
        task=source.task,
        image_input=options.image_input,
        deployment_target=options.deployment_target,
        calibration=options.calibration.images if options.calibration else None,
        keep_float=frozenset(kept.part for kept in options.kept_float),
    )
    progress(f"Converting {source.name} to {options.format}")
    conversion = converter().convert(prepared.module, request, folder)
    tools = {"affnet": __version__, **{t: metadata.version(t) for t in converter.tools}}
    manifest = _describe(
        source, options.format, request, conversion, prepared.fft_plan, macs, tools
    )
    if options.head is not None:
        manifest = dataclasses.replace(manifest, details=manifest.details | {"head": options.head})
    return Artifact(conversion.path, manifest)


def check_request(source: Source, options: ExportOptions) -> None:
    """Refuse what cannot work before anything is written; see `export_artifact`."""
    converter = get_converter(options.format)
    check_installed(converter)
    if source.input.is_image:
        source.size_rule.check(source.name, *(options.image_size or source.input.image_size()))
    if source.program is not None:
        _check_program_request(source, options)
    if options.precision not in (None, *converter.precisions):
        raise UnknownNameError(
            f"precision for {options.format}", options.precision, converter.precisions
        )
    if options.precision in CALIBRATED and options.calibration is None:
        raise UsageError(
            f"The precision {options.precision} needs images to calibrate with: --calibration-data."
        )
    if options.head in HEADS and options.head not in converter.heads:
        raise UsageError(
            f"{options.format} files hold no --head {options.head} here; export without it, and "
            "decode the outputs by affnet.evaluation.detections.decode_detections."
        )
    if options.head is not None and options.dynamic_batch:
        raise UsageError("--head takes one image at a time; leave --dynamic-batch away.")
    if options.layout is not None and options.layout not in converter.layouts:
        raise UnknownNameError(f"layout for {options.format}", options.layout, converter.layouts)
    for option in ("image_input", "deployment_target"):
        if getattr(options, option) and option not in converter.options:
            raise UsageError(
                f"--{option.replace('_', '-')} does not apply to the format {options.format}."
            )
    if options.fft not in FFT_CHOICES:
        raise UnknownNameError("FFT plan", options.fft, FFT_CHOICES)
    if options.fft == "measure" and options.costs is None:
        raise UsageError(
            "--fft measure needs measured costs, which affnet export takes; give its file "
            "to other commands."
        )


def _check_program_request(source: Source, options: ExportOptions) -> None:
    """Refuse what only networks of this package have a meaning for."""
    for option in ("image_size", "layout", "image_input", "dynamic_batch"):
        if getattr(options, option):
            raise UsageError(
                f"--{option.replace('_', '-')} does not apply to {source.name}, whose program says "
                "what it takes."
            )
    if options.fft not in ("auto", "native"):
        raise UsageError(
            f"--fft {options.fft} is a plan for AFFNet's filters; the program {source.name} "
            "takes auto or native."
        )


def _file_name(model: str, precision: str, converter: type[Converter]) -> str:
    """Return a name that tells files of several precisions apart: ``digits``, ``digits_int8``."""
    if precision == converter.precisions[0]:
        return model
    return f"{model}_{precision.replace('-', '_')}"


def _with_batch(spec: TensorSpec, dynamic: bool) -> TensorSpec:
    """Return the spec with its first axis left open if ``dynamic``."""
    return dataclasses.replace(spec, shape=("batch", *spec.shape[1:])) if dynamic else spec


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
        inputs=(conversion.input or request.input,),
        outputs=request.outputs,
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
    )


def _verified(
    artifact: Artifact, source: Source, options: ExportOptions, progress: Progress
) -> Artifact:
    """Run the artifact and record its agreement; raise `VerificationError` if there is none."""
    progress(f"Running {artifact.path.name} and comparing it with PyTorch")
    images = None
    if options.calibration and artifact.manifest.precision in CALIBRATED:
        images = options.calibration.images[:_REAL_IMAGES]
    parity = verify_against(Subject.of(artifact), source, images)
    if not parity.passed:
        raise VerificationError(
            f"The exported {artifact.path.name} disagrees with PyTorch: its largest error is "
            f"{parity.max_rel_error:.1e} of the largest output, {parity.tolerance:.0e} is allowed; "
            f"its PSNR is {parity.psnr_db:.0f} dB."
        )
    artifact = artifact.with_manifest(parity=parity)
    if options.calibration is None:
        return artifact
    progress(f"Judging {artifact.path.name} by {options.calibration.source}")
    return judged(
        artifact, source, options.calibration, options.kept_float, options.max_accuracy_drop
    )
