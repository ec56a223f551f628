"""A file's network, made ready for its converter again as its manifest says."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata

from torch import nn

from affnet.artifact import Artifact, Manifest
from affnet.errors import UsageError
from affnet.export.conversion import conversion_request
from affnet.export.converters import ConversionRequest, Converter
from affnet.export.converters.fallbacks import Attempt
from affnet.export.fourier.plans import PLANS
from affnet.export.fourier.plans.base import MapSize
from affnet.export.options import ExportOptions
from affnet.export.prepare import prepare_network
from affnet.export.quantization import CALIBRATED
from affnet.export.verification.reference import Reference
from affnet.model.source import Source
from affnet.units import image_size


@dataclass(frozen=True)
class _RecordedPlans:
    """Costs by which the planner chooses again what a manifest says."""

    fft_plan: dict[str, str]
    kind = "recorded"

    def microseconds(self, plan: str, size: MapSize) -> float | None:
        """See `PlanCosts.microseconds`."""
        return 0.0 if self.fft_plan.get(image_size(size.height, size.width)) == plan else None


def remade(
    artifact: Artifact, source: Source, converter: type[Converter]
) -> tuple[nn.Module, ConversionRequest]:
    """Return the network and the request that ``converter`` made the file of.

    Raises:
        UsageError: nobody knows how the file was made, it was made with images, or by other
            versions of what compiles it.
        ConversionError: as `prepare_network`.
    """
    manifest = artifact.manifest
    if not artifact.proven:
        raise UsageError(
            f"{artifact.path} has no manifest, which says how to compile parts of it",
            "bisect a file that affnet export made.",
        )
    if manifest.precision in CALIBRATED:
        raise UsageError(
            f"Parts of {artifact.path} cannot be compiled: its 8-bit ranges come from images, "
            "which its manifest does not hold",
            "bisect the network's file in fp32 or fp16.",
        )
    _check_versions(artifact, converter)
    taken = manifest.inputs[0]
    options = ExportOptions(
        manifest.format,
        image_size=taken.image_size() if source.input.is_image else None,
        precision=manifest.precision,
        deployment_target=_deployment_target(manifest),
        keep_float=tuple(manifest.details.get("keep_float", ())),
    )
    attempt = Attempt(_fft_choice(manifest), manifest.route, manifest.precision)
    shape = taken.static_shape()
    costs = _RecordedPlans(manifest.fft_plan)
    prepared = prepare_network(source, shape, attempt.fft, converter, attempt.precision, costs)
    native_fft = attempt.fft == "native" and bool(prepared.fft_plan)
    request = conversion_request(source, options, converter, attempt, Reference(source), native_fft)
    return prepared.module, request


def _check_versions(artifact: Artifact, converter: type[Converter]) -> None:
    """Refuse a file of other versions of what compiles it, whose parts would be other files."""
    for name in converter.tools:
        made_by, here = artifact.manifest.tools.get(name), metadata.version(name)
        if made_by != here:
            raise UsageError(
                f"{artifact.path} was compiled by {name} {made_by or 'of an unknown version'}, and "
                f"its parts would be by {here}",
                "export it again, or install that version.",
            )


def _fft_choice(manifest: Manifest) -> str:
    """Return what ``--fft`` gives the plans of a manifest: native, one for all maps, or auto."""
    plans = {*manifest.fft_plan.values()}
    return plans.pop() if len(plans) == 1 and plans <= {*PLANS, "native"} else "auto"


def _deployment_target(manifest: Manifest) -> str | None:
    """Return what Core AI's converter takes for ``OS 27``, as a manifest has it."""
    stated = manifest.details.get("deployment_target")
    return f"iOS{stated.removeprefix('OS ')}" if stated else None
