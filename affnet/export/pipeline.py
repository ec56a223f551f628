"""From a source to a verified artifact."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from affnet import __version__
from affnet.artifact import Artifact, Manifest, TensorSpec, manifest_path
from affnet.errors import (
    AffnetError,
    ConversionError,
    UnknownNameError,
    UsageError,
    VerificationError,
)
from affnet.export.attempts import Attempt, plan_attempts
from affnet.export.converters import (
    Conversion,
    ConversionRequest,
    Converter,
    check_installed,
    get_converter,
)
from affnet.export.folding import fold_linear_maps
from affnet.export.fourier.planner import FFT_CHOICES, replace_transforms
from affnet.export.verification import verify_against
from affnet.files import (
    content_sha256,
    publish,
    staging_folder,
    translating_os_errors,
    write_and_sync,
)
from affnet.model.cost import count_macs, count_parameters
from affnet.model.network import check_image_size
from affnet.model.source import Source

Progress = Callable[[str], None]


@dataclass(frozen=True)
class ExportOptions:
    """What the user chose; None leaves the choice to the source or the format."""

    format: str
    image_size: tuple[int, int] | None = None  # height, width
    precision: str | None = None
    fft: str = "auto"
    dynamic_batch: bool = False
    layout: str | None = None
    image_input: bool = False
    deployment_target: str | None = None
    verify: bool = True


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
    _check_request(source, options, converter)
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
    """Make one attempt after the other until one converts and, if asked, agrees with PyTorch."""
    failures: list[dict[str, str]] = []
    errors: list[AffnetError] = []
    for number, attempt in enumerate(plan_attempts(options.fft, converter)):
        if errors:
            progress(f"{errors[-1]} Trying {attempt} instead")
        folder = staging / str(number)
        folder.mkdir()
        try:
            artifact = _convert(source, options, converter, attempt, folder, progress)
            artifact = artifact.with_manifest(fallbacks=tuple(failures))
            return _verified(artifact, source, progress) if options.verify else artifact
        except (ConversionError, VerificationError) as error:
            errors.append(error)
            failures.append({"fft": attempt.fft, "route": attempt.route, "reason": str(error)})
    others = ", ".join(f"{failure['fft']} by {failure['route']}" for failure in failures[1:])
    if not others:
        raise errors[0]
    first = str(errors[0]).removesuffix(".")
    raise type(errors[0])(f"{first}; also tried without success: {others}.") from errors[0]


def _convert(
    source: Source,
    options: ExportOptions,
    converter: type[Converter],
    attempt: Attempt,
    folder: Path,
    progress: Progress,
) -> Artifact:
    """Make the file of one attempt, and describe it."""
    size = options.image_size or source.image_size
    progress(f"Preparing {source.name} for {size[0]}x{size[1]} images")
    network = copy.deepcopy(source.model).eval()
    fft_plan = replace_transforms(network, size, attempt.fft, converter.plans)
    fold_linear_maps(network)
    macs = count_macs(network, *size)
    request = ConversionRequest(
        name=source.name,
        image_size=size,
        precision=options.precision or converter.precisions[0],
        route=attempt.route,
        dynamic_batch=options.dynamic_batch,
        native_fft=attempt.fft == "native" and bool(fft_plan),
        layout=options.layout or converter.layouts[0],
        labels=source.labels,
        image_input=options.image_input,
        deployment_target=options.deployment_target,
    )
    progress(f"Converting {source.name} to {options.format}")
    conversion = converter().convert(network, request, folder)
    tools = {"affnet": __version__, **{t: metadata.version(t) for t in converter.tools}}
    manifest = _describe(source, options.format, request, conversion, fft_plan, macs, tools)
    return Artifact(conversion.path, manifest)


def _check_request(source: Source, options: ExportOptions, converter: type[Converter]) -> None:
    """Refuse what cannot work before anything is written."""
    check_installed(converter)
    check_image_size(source.name, *(options.image_size or source.image_size))
    if options.precision not in (None, *converter.precisions):
        raise UnknownNameError(
            f"precision for {options.format}", options.precision, converter.precisions
        )
    if options.layout is not None and options.layout not in converter.layouts:
        raise UnknownNameError(f"layout for {options.format}", options.layout, converter.layouts)
    for option in ("image_input", "deployment_target"):
        if getattr(options, option) and option not in converter.options:
            raise UsageError(
                f"--{option.replace('_', '-')} does not apply to the format {options.format}."
            )
    if options.fft not in FFT_CHOICES:
        raise UnknownNameError("FFT plan", options.fft, FFT_CHOICES)
    if options.fft == "native" and not converter.native_fft:
        raise UsageError(f"{options.format} has no FFT operator; leave --fft native away.")


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
    batch: int | str = "batch" if request.dynamic_batch else 1
    shape = (3, *request.image_size) if request.layout == "NCHW" else (*request.image_size, 3)
    image = TensorSpec("image", (batch, *shape), "float32", request.layout, (0.0, 1.0))
    return Manifest(
        model=source.name,
        format=format_,
        precision=request.precision,
        sha256=content_sha256(conversion.path),
        inputs=(conversion.input or image,),
        outputs=(TensorSpec("logits", (batch, source.num_classes), "float32"),),
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
    )


def _verified(artifact: Artifact, source: Source, progress: Progress) -> Artifact:
    """Run the artifact and record its agreement; raise `VerificationError` if there is none."""
    progress(f"Running {artifact.path.name} and comparing it with PyTorch")
    parity = verify_against(artifact, source)
    if not parity.passed:
        raise VerificationError(
            f"The exported {artifact.path.name} disagrees with PyTorch: its largest error is "
            f"{parity.max_rel_error:.1e} of the largest output, {parity.tolerance:.0e} is allowed; "
            f"its PSNR is {parity.psnr_db:.0f} dB."
        )
    return artifact.with_manifest(parity=parity)
