"""From a source to a verified artifact."""

from __future__ import annotations

import copy
import dataclasses
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from affnet import __version__
from affnet.artifact import Artifact, Manifest, TensorSpec, manifest_path
from affnet.errors import UnknownNameError, UsageError, VerificationError
from affnet.export.converters import ConversionRequest, Converter, get_converter
from affnet.export.folding import fold_linear_maps
from affnet.export.fourier.planner import replace_transforms
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
    precision: str = "fp32"
    fft: str = "auto"
    dynamic_batch: bool = False
    verify: bool = True


def export_artifact(
    source: Source,
    options: ExportOptions,
    output: Path,
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
    converter_class, size, fft = _resolve(source, options)
    native = fft == "native"
    with staging_folder(output) as staging:
        progress(f"Preparing {source.name} for {size[0]}x{size[1]} images")
        network = copy.deepcopy(source.model).eval()
        fft_plan = replace_transforms(network, size, fft)
        fold_linear_maps(network)
        progress(f"Converting {source.name} to {options.format}")
        request = ConversionRequest(
            name=source.name,
            image_size=size,
            precision=options.precision,
            dynamic_batch=options.dynamic_batch,
            native_fft=native and bool(fft_plan),
        )
        conversion = converter_class().convert(network, request, staging)
        batch: int | str = "batch" if options.dynamic_batch else 1
        manifest = Manifest(
            model=source.name,
            format=options.format,
            precision=options.precision,
            sha256=content_sha256(conversion.path),
            inputs=(TensorSpec("image", (batch, 3, *size), "float32", "NCHW", (0.0, 1.0)),),
            outputs=(TensorSpec("logits", (batch, source.num_classes), "float32"),),
            labels=source.labels,
            fft=options.fft,
            fft_plan=fft_plan,
            route=conversion.route,
            details=conversion.details,
            provenance=source.provenance,
            parameters=count_parameters(source.model),
            macs=count_macs(network, *size),
            published=dataclasses.asdict(source.published) if source.published else None,
            tools=_tool_versions(converter_class.tools),
            parity=None,
        )
        artifact = Artifact(conversion.path, manifest)
        if options.verify:
            progress(f"Running {conversion.path.name} and comparing it with PyTorch")
            artifact = _verified(artifact, source)
        with translating_os_errors(output):
            staged_manifest = manifest_path(conversion.path)
            write_and_sync(staged_manifest, artifact.manifest.to_json().encode())
        target, _ = publish([conversion.path, staged_manifest], output)
    return Artifact(target, artifact.manifest)


def _resolve(
    source: Source, options: ExportOptions
) -> tuple[type[Converter], tuple[int, int], str]:
    """Check the options; return the converter, the image size and what to do with FFTs."""
    converter_class = get_converter(options.format)
    size = options.image_size or source.image_size
    check_image_size(source.name, *size)
    if options.precision not in converter_class.precisions:
        raise UnknownNameError(
            f"precision for {options.format}", options.precision, converter_class.precisions
        )
    fft = converter_class.auto_fft if options.fft == "auto" else options.fft
    if fft == "native" and not converter_class.native_fft:
        raise UsageError(f"{options.format} has no FFT operator; leave --fft native away.")
    return converter_class, size, fft


def _verified(artifact: Artifact, source: Source) -> Artifact:
    parity = verify_against(artifact, source)
    if not parity.passed:
        raise VerificationError(
            f"The exported {artifact.path.name} disagrees with PyTorch: its largest error is "
            f"{parity.max_rel_error:.1e} of the largest output, {parity.tolerance:.0e} is allowed; "
            "nothing was written."
        )
    return Artifact(artifact.path, dataclasses.replace(artifact.manifest, parity=parity))


def _tool_versions(packages: tuple[str, ...]) -> dict[str, str]:
    versions = {package: importlib.metadata.version(package) for package in packages}
    return {"affnet": __version__, **versions}
