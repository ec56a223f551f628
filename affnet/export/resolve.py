"""From a request to all that an export needs: the network, options, images and costs.

This is the only place that validates a request; what follows relies on it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from affnet.artifact import image_spec
from affnet.devices.base import Device
from affnet.devices.catalog import devices_to_prove_on
from affnet.dynamic_axes import BATCH
from affnet.errors import UsageError
from affnet.export.autotuning.accuracy_bound import DEFAULT_MAX_DROP
from affnet.export.autotuning.plan_cache import PlanCache
from affnet.export.autotuning.plan_timing import MeasuredCosts, Timer, measure_plans
from affnet.export.fourier.planner import filter_maps
from affnet.export.options import ExportOptions, check_options
from affnet.export.quantization import AUTO, CALIBRATED
from affnet.export.quantization.calibration import load_calibration
from affnet.export.request import MEASURE, ExportRequest, check_combination
from affnet.export.verification.inputs import VerificationInput
from affnet.export.verification.samples import load_samples
from affnet.export.verification.user_inputs import read_inputs
from affnet.model.source import OWN_WEIGHTS, Source, load_source
from affnet.runtimes import runtime_for

Progress = Callable[[str], None]


class OpenTimer(Protocol):
    """Reaches a device to time files on, as `affnet.bench.measurement.timer.open_timer` does."""

    def __call__(
        self, device: str, runtime: str, /, *, progress: Progress
    ) -> AbstractContextManager[Timer]:
        """Return a timer for as long as the device's session lasts."""
        ...


@dataclass(frozen=True)
class ResolvedExport:
    """An export of which everything is known and valid."""

    request: ExportRequest
    source: Source
    options: ExportOptions
    output: Path

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of the source and the images, a sentence each."""
        calibration = self.options.calibration
        notes = [*self.source.notes, *(calibration.notes() if calibration else ())]
        if self.options.max_accuracy_drop is not None and self._has_random_weights:
            notes.append(
                f"The weights of {self.source.name} are random, so that the accuracy that "
                "precisions are judged by says nothing; give it trained ones (--weights)."
            )
        return tuple(notes)

    @property
    def _has_random_weights(self) -> bool:
        return self.source.provenance.weights.startswith("random")


def resolve(
    request: ExportRequest, open_timer: OpenTimer, progress: Progress = lambda _: None
) -> ResolvedExport:
    """Load what a request names and refuse what cannot work, before anything is written.

    ``open_timer`` is called where plans are measured.

    Raises:
        UsageError: the request contradicts itself, the source or the format.
        MissingError: a package that the format needs is not installed.
        AffnetError: as `load_source`, `load_calibration`, `read_inputs` and ``open_timer``.
    """
    check_combination(request)
    source = _source(request)
    options = ExportOptions(
        format=request.format,
        image_size=request.image_size,
        precision=request.precision,
        fft=request.fft,
        dynamic_batch=_opens_batch(request, source),
        head=request.head,
        layout=request.layout.upper() if request.layout else None,
        preprocess=request.preprocess,
        input_size=request.input_size,
        io_type=request.io_type,
        image_input=request.image_input,
        deployment_target=request.deployment_target,
        verify=request.verify,
        verify_on=_inputs_to_verify_on(request, source),
        prove_on=_places(request),
        repair_on=frozenset({request.device} if request.repair else ()),
        max_accuracy_drop=request.max_accuracy_drop,
        target=request.target,
        keep_float=request.keep_float,
    )
    if _needs_images(request):
        options = _with_calibration(request, source, options, progress)
    _check(source, options)
    if request.fft == MEASURE:
        costs = _measured_costs(request, source, open_timer, progress)
        options = dataclasses.replace(options, costs=costs)
    return ResolvedExport(request, source, options, Path(request.output))


def _places(request: ExportRequest) -> tuple[Device, ...]:
    """Return where the file is proven: also where it is made right."""
    names = [request.prove_on, request.device if request.repair else None]
    listed = ",".join(filter(None, names))
    return tuple(devices_to_prove_on(listed)) if listed else ()


def _source(request: ExportRequest) -> Source:
    return load_source(
        request.source,
        variant=request.variant,
        config=Path(request.config) if request.config else None,
        weights=Path(request.weights) if request.weights else None,
        image_size=request.image_size,
        activation=request.activation,
        attn_norm=request.attn_norm,
        labels=Path(request.labels) if request.labels else None,
        ema=request.ema,
        dynamic=request.dynamic,
        complex_as=request.complex_as,
    )


def _opens_batch(request: ExportRequest, source: Source) -> bool:
    """Return whether the batch of a network of images is open, the only axis that may be."""
    if source.program is not None or request.dynamic is None:
        return False
    if request.dynamic.strip() != BATCH:
        raise UsageError(
            f"--dynamic {request.dynamic} does not apply to {source.name}, which takes images of "
            "one size",
            f"leave its batch open by --dynamic {BATCH}, or choose the size by --image-size.",
        )
    return True


def _inputs_to_verify_on(request: ExportRequest, source: Source) -> tuple[VerificationInput, ...]:
    if request.verify_on is None:
        return ()
    size = request.input_size or request.image_size
    taken = (image_spec(*size),) if size else source.inputs
    return tuple(read_inputs(Path(request.verify_on), taken))


def _needs_images(request: ExportRequest) -> bool:
    named = request.calibration_data is not None or request.max_accuracy_drop is not None
    return named or request.precision in (*CALIBRATED, AUTO)


def _with_calibration(
    request: ExportRequest, source: Source, options: ExportOptions, progress: Progress
) -> ExportOptions:
    """Load images or samples, and bound the accuracy that images show where that makes sense."""
    bound = request.max_accuracy_drop
    classifies = source.task == "classification"
    if not classifies and (bound is not None or request.precision == AUTO):
        raise UsageError(
            f"{source.name} is not a classifier; --precision auto and --max-accuracy-drop need one."
        )
    if source.program is not None:
        samples = load_samples(source, request.calibration_data, request.calibration_samples)
        return dataclasses.replace(options, calibration=samples)
    calibration = load_calibration(
        source, request.calibration_data, request.calibration_samples, request.image_size, progress
    )
    trained = _is_trained(source) and request.verify
    if bound is None and classifies and (request.precision == AUTO or trained):
        bound = DEFAULT_MAX_DROP
    return dataclasses.replace(options, calibration=calibration, max_accuracy_drop=bound)


def _is_trained(source: Source) -> bool:
    return source.provenance.weights in ("trained", OWN_WEIGHTS)


def _check(source: Source, options: ExportOptions) -> None:
    """Refuse what the source or the format cannot do; a search and measured costs come later."""
    if options.precision == AUTO:
        options = dataclasses.replace(options, precision=None)
    if options.fft == MEASURE:
        options = dataclasses.replace(options, costs=MeasuredCosts({}))
    check_options(source, options)


def _measured_costs(
    request: ExportRequest, source: Source, open_timer: OpenTimer, progress: Progress
) -> MeasuredCosts:
    """Time the plans for the network's maps, or take what the plan cache has of them."""
    shape = source.input.static_shape()
    if request.image_size is not None:
        shape = (*shape[:2], *request.image_size)
    sizes = filter_maps(source.model, shape).values()
    # the plans' order is the same in all precisions: the default stands for them
    precision = None if request.precision == AUTO else request.precision
    runtime = runtime_for(request.format).name
    with open_timer(request.device, runtime, progress=progress) as timer:
        return measure_plans(sizes, request.format, timer, PlanCache(), progress, precision)
