"""A float16 file tried on devices that may compute in float16, while it is being made."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import TensorSpec
from affnet.devices.base import Device
from affnet.devices.inference import open_session
from affnet.evaluation.held_out import held_out_images
from affnet.export.verification.compare import has_held_out
from affnet.export.verification.inputs import VerificationInput
from affnet.export.verification.reference import Reference
from affnet.export.verification.subject import Outputs, run_inputs
from affnet.layouts import from_output
from affnet.runtimes.foreign import describe_file

_LARGEST_RMS = 10 ** (-42 / 20)  # of an output's peak: 42 dB, where 40 are asked of a file
#: Of the classes, as estimated: half of the 0.5 % that may change.
_LARGEST_CHANGE = 0.0025
_IMAGES = 8  # held-out ones whose errors are taken; inference there takes seconds
_WORST = 2  # of the other inputs, once it is known which show the most


class DeviceTrial:
    """Runs candidates of a file on devices, and compares them with PyTorch."""

    def __init__(
        self,
        reference: Reference,
        taken: Sequence[TensorSpec],
        held_as: tuple[Sequence[TensorSpec], Sequence[TensorSpec]],
        devices: Sequence[Device],
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepare inputs: ``taken`` are the network's, ``held_as`` the file's, with its outputs."""
        self._devices, self._progress = list(devices), progress
        self._inputs_as, self._outputs_as = held_as
        self._reference = reference
        self._inputs = list(reference.usual_inputs(tuple(taken), half=True))
        self._runs = 0
        self._images: NDArray[np.float32] | None = None
        self._margins: NDArray[np.float64] | None = None
        self._size = taken[0].image_size() if taken[0].is_image else None

    @property
    def place(self) -> str:
        """The devices that candidates run on: after the first, that where it was worst."""
        return ", ".join(device.name for device in self._devices)

    def excess(self, file: Path) -> float:
        """Return a file's error there, as a multiple of what is allowed; infinity if not finite.

        It is the worse of two: the mean error over the largest output, of the inputs that every
        file is verified on, and the share of held-out images whose class is likely to change.
        """
        found = [(self._on(device, file), device) for device in self._devices]
        (worst, ranked), device = max(found, key=lambda pair: pair[0][0])
        if self._runs == len(found):  # the first candidate
            self._devices, self._inputs = [device], ranked[:_WORST]
        return worst

    def _on(self, device: Device, file: Path) -> tuple[float, list[VerificationInput]]:
        """Return the error on a device, and the inputs that show it, the worst first."""
        if not self._runs:
            self._load_held_out()
        self._runs += 1
        self._progress(f"Trying float16 on {device.name}, run {self._runs}")
        images = [] if self._images is None else [VerificationInput("held-out", (self._images,))]
        inputs = [*self._inputs, *images]
        arrays = [one.arrays for one in inputs]
        with open_session(device, describe_file(file)) as session:
            found = run_inputs(session, arrays, self._inputs_as)
        runs = [[*map(from_output, outputs, self._outputs_as)] for outputs in found]
        expected = self._reference.outputs(arrays)
        count = len(self._inputs)
        ratios = list(map(_relative, expected[:count], runs[:count]))
        order = sorted(range(count), key=lambda index: -ratios[index])
        worst = max(ratios, default=0.0) / _LARGEST_RMS
        changed = self._changed(expected[-1], runs[-1]) / _LARGEST_CHANGE
        return max(worst, changed), [self._inputs[index] for index in order]

    def _load_held_out(self) -> None:
        """Take a few of a bundled classifier's held-out images, and the margins of all."""
        source = self._reference.source
        if self._size is None or not has_held_out(source) or source.task != "classification":
            return
        images, _ = held_out_images(source.provenance.location, self._size)
        (logits,) = self._reference.outputs([(images,)])[0]
        best = np.sort(logits.astype(np.float64), axis=1)[:, -2:]
        self._margins = best[:, 1] - best[:, 0]
        self._images = images[:: max(1, len(images) // _IMAGES)][:_IMAGES]

    def _changed(self, expected: Outputs, given: Outputs) -> float:
        """Estimate the share of all held-out images whose class changes, from errors on a few.

        Counting would need hundreds of images.  The difference of the two largest logits errs by
        about the square root of two times one logit's error; it changes sign where that exceeds it.
        """
        if self._margins is None:
            return 0.0
        error = given[0].astype(np.float64) - expected[0]
        with np.errstate(all="ignore"):
            spread = math.sqrt(2 * float(error.var(axis=1, ddof=1).mean()))
        if not math.isfinite(spread):
            return math.inf
        if spread == 0:
            return 0.0
        return float(np.mean([math.erfc(m / (spread * math.sqrt(2))) / 2 for m in self._margins]))


def _relative(expected: Outputs, given: Outputs) -> float:
    """Return the largest RMS error of any output over its peak, where PyTorch's is finite."""
    largest = 0.0
    for wanted, found in zip(expected, given, strict=True):
        finite = np.isfinite(wanted)
        if wanted.dtype.kind != "f" or not finite.any():
            continue
        reference = wanted[finite].astype(np.float64)
        peak = float(np.abs(reference).max())
        with np.errstate(all="ignore"):
            rms = math.sqrt(float(np.mean(np.square(found[finite] - reference))))
        if math.isnan(rms):
            return math.inf
        if peak:
            largest = max(largest, rms / peak)
    return largest
