"""What a converter is asked for in one attempt."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from torch import nn

from affnet.artifact import Arrays, TensorSpec, image_spec
from affnet.dynamic_axes import BATCH, DynamicAxis
from affnet.export.borders import held_inputs, held_outputs
from affnet.export.converters import ConversionRequest, Converter
from affnet.export.converters.fallbacks import Attempt
from affnet.export.options import SPEC, ExportOptions
from affnet.export.passes.graph_pixels import GraphPixels
from affnet.export.passes.heads import NO_HEAD
from affnet.export.quantization import LOSSY
from affnet.export.quantization.layers import Kept, KeptModules, KeptParts
from affnet.export.quantization.own_layers import quantized_modules
from affnet.export.verification.half_trial import DeviceTrial
from affnet.export.verification.reference import Reference
from affnet.layouts import as_input
from affnet.model.source import Source


def conversion_request(
    source: Source,
    options: ExportOptions,
    converter: type[Converter],
    attempt: Attempt,
    reference: Reference,
    native_fft: bool,
    progress: Callable[[str], None] = lambda _: None,
) -> ConversionRequest:
    """Return the request of one attempt; ``reference`` has the inputs that show float16's limits.

    ``native_fft`` is whether the prepared network still has Fourier transforms.
    """
    taken = (image_spec(*options.image_size),) if options.image_size else source.inputs
    inputs = held_inputs(taken, converter)
    outputs = held_outputs(source.outputs_for(taken[0]), converter)
    half = attempt.precision in converter.computes_in_half
    return ConversionRequest(
        name=_file_name(source.name, attempt.precision, converter),
        inputs=tuple(_with_batch(spec, options.dynamic_batch) for spec in inputs),
        outputs=tuple(_with_batch(spec, options.dynamic_batch) for spec in outputs),
        dynamic=(ANY_BATCH,) if options.dynamic_batch else source.dynamic,
        precision=attempt.precision,
        route=attempt.route,
        native_fft=native_fft,
        layout=(options.preprocess == SPEC and options.layout) or converter.layouts[0],
        pixels=_pixels(source, taken[0], options),
        labels=source.labels,
        task=source.task,
        io_type=options.io_type,
        image_input=options.image_input,
        deployment_target=options.deployment_target,
        calibration=_calibration(source, inputs, options),
        keep_float=_kept(source, attempt.precision, options),
        target=options.target,
        samples=_samples(reference, taken, inputs, options) if half else (),
        half_trial=(
            _half_trial(reference, taken, (inputs, outputs), options, progress) if half else None
        ),
    )


def _kept(source: Source, precision: str, options: ExportOptions) -> Kept:
    """Return what stays in float."""
    if source.program is None:
        parts = frozenset(kept.part for kept in options.kept_float)
        return KeptParts(parts, options.keep_float)
    quantized = quantized_modules(source.program) if precision in LOSSY else None
    return KeptModules(_under_all_names(source.model, options.keep_float), quantized)


def _under_all_names(network: nn.Module, modules: Sequence[str]) -> tuple[str, ...]:
    """Return ``modules`` with the other names of each: torch.export keeps one."""
    named = dict(network.named_modules(remove_duplicate=False))
    chosen = {id(part) for name in modules if name in named for part in named[name].modules()}
    return (*modules, *(name for name, module in named.items() if id(module) in chosen))


def _calibration(
    source: Source, held_as: Sequence[TensorSpec], options: ExportOptions
) -> tuple[Arrays, ...] | None:
    """Return what calibrates a file, each as its inputs hold it."""
    if options.calibration is None:
        return None
    arrays = options.calibration.arrays
    if source.program is None:
        return arrays
    return tuple(tuple(map(as_input, one, held_as)) for one in arrays)


#: The batch of images: what a file takes of it only memory bounds.
ANY_BATCH = DynamicAxis(BATCH, 1, 1, 1 << 16)


def _pixels(source: Source, taken: TensorSpec, options: ExportOptions) -> GraphPixels | None:
    """Return what the file does to pictures itself, None if nothing."""
    if options.preprocess == SPEC:
        return None
    contract = source.preprocessing_for(taken)
    assert contract is not None  # checked
    assert options.input_size is not None
    return GraphPixels(contract, options.input_size, options.layout or "NHWC")


def _samples(
    reference: Reference,
    taken: Sequence[TensorSpec],
    held_as: Sequence[TensorSpec],
    options: ExportOptions,
) -> tuple[Arrays, ...]:
    """Return inputs that show what float16 cannot hold: those that a file is verified on."""
    inputs = reference.usual_inputs(tuple(taken), half=not options.image_input)
    return tuple(
        tuple(map(as_input, one.arrays, held_as)) if not held_as[0].is_image else one.arrays
        for one in (*inputs, *(options.verify_on if options.preprocess == SPEC else ()))
    )


def _half_trial(
    reference: Reference,
    taken: Sequence[TensorSpec],
    held_as: tuple[Sequence[TensorSpec], Sequence[TensorSpec]],
    options: ExportOptions,
    progress: Callable[[str], None],
) -> DeviceTrial | None:
    """Return the devices to prove on, which show what their float16 arithmetic loses.

    A head changes what the file gives, so that it cannot be compared before the file is whole.
    """
    if not options.prove_on or options.head != NO_HEAD:
        return None
    return DeviceTrial(reference, taken, held_as, options.prove_on, progress)


def _file_name(model: str, precision: str, converter: type[Converter]) -> str:
    """Return a name that tells files of several precisions apart: ``digits``, ``digits_int8``."""
    if precision == converter.precisions[0]:
        return model
    return f"{model}_{precision.replace('-', '_')}"


def _with_batch(spec: TensorSpec, dynamic: bool) -> TensorSpec:
    """Return the spec with its first axis left open if ``dynamic``."""
    return dataclasses.replace(spec, shape=(BATCH, *spec.shape[1:])) if dynamic else spec
