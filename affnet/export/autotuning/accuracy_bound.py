"""Quantized export under a bound on the accuracy lost."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from affnet.artifact import Artifact
from affnet.errors import AccuracyError
from affnet.export.converters import get_converter
from affnet.export.fourier.costs import PredictedCosts
from affnet.export.options import ExportOptions
from affnet.export.passes.folding import fold_batch_norms
from affnet.export.pipeline import export_once
from affnet.export.prepare import prepare_network
from affnet.export.quantization import CALIBRATED
from affnet.export.quantization.calibration import Calibration
from affnet.export.quantization.sensitivity import Sensitivity, measure_sensitivity
from affnet.export.verification.reference import Reference
from affnet.model.source import Source
from affnet.runtimes import runtime_for

#: Points of top-1 accuracy that 8 bits may cost unless told otherwise.
DEFAULT_MAX_DROP = 1.0


def export_bounded(
    source: Source,
    options: ExportOptions,
    output: Path,
    progress: Callable[[str], None] = lambda _: None,
    reference: Reference | None = None,
) -> Artifact:
    """Export with as many parts in float32 as ``options.max_accuracy_drop``, if given, needs.

    A simulation says which parts and, to begin with, how many; the file itself is then judged, and
    twice as many parts are spared until it holds the bound.  One part at least is in 8 bits: else
    the file would be one of float32 by another name.  Where activations are floats no part can be
    spared, and the file is only judged.

    Raises:
        AccuracyError: the bound is not reached; nothing is written.  It lists the attempts.
        AffnetError: as `export_once`.
    """
    reference = reference or Reference(source)
    if options.max_accuracy_drop is None or options.precision not in CALIBRATED:
        return export_once(source, options, output, progress, reference)
    sensitivity = _sensitivity(source, options, progress)
    most = sensitivity.count - 1
    spared = min(sensitivity.needed, most)
    attempts: list[tuple[int, float]] = []
    while True:
        chosen = dataclasses.replace(options, kept_float=sensitivity.worst(spared))
        try:
            return export_once(source, chosen, output, progress, reference)
        except AccuracyError as error:
            attempts += error.attempts
            progress(f"{error} Keeping more in float32")
        if spared >= most:
            raise AccuracyError(
                f"{source.name} loses more than {options.max_accuracy_drop:g} points of top-1 in "
                f"{options.precision}, whatever stays in float32; nothing was written.",
                attempts,
            )
        spared = min(2 * spared or 1, most)


def _sensitivity(
    source: Source, options: ExportOptions, progress: Callable[[str], None]
) -> Sensitivity:
    converter, calibration = get_converter(options.format), options.calibration
    assert isinstance(calibration, Calibration)  # checked: it is a classifier of images
    assert options.max_accuracy_drop is not None
    costs = options.costs or PredictedCosts(runtime_for(options.format).name)
    shape = (1, *calibration.images.shape[1:])
    network = prepare_network(source, shape, "auto", converter, "fp32", costs).module
    fold_batch_norms(network)
    return measure_sensitivity(network, calibration, options.max_accuracy_drop, progress)
