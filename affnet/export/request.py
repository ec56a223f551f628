"""An export as a user asks for it: text and numbers that a command line or a file can hold."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from affnet.dynamic_axes import parse_dynamic
from affnet.errors import UsageError
from affnet.export.quantization import ANY, AUTO, CALIBRATED, LOSSY
from affnet.names import split_names

#: So many calibration images are taken unless a request says otherwise.
DEFAULT_SAMPLES = 200
MEASURE = "measure"


@dataclass(frozen=True)
class ExportRequest:
    """What to export, how, and where to; None leaves a choice to the source or the format.

    `affnet.export.resolve.resolve` makes options of it, and is what validates it.
    """

    source: str
    format: str = "onnx"  # several, by commas, or all: `affnet.export.all_formats.requests_of`
    output: str = "."  # a folder
    variant: str | None = None  # that the source must be
    config: str | None = None  # of a checkpoint
    weights: str | None = None  # of a peer
    activation: str | None = None
    attn_norm: str | None = None
    ema: bool = False
    image_size: tuple[int, int] | None = None  # height, width
    labels: str | None = None  # a file of class names, one a line
    precision: str | None = None  # several by commas
    calibration_data: str | None = None
    calibration_samples: int = DEFAULT_SAMPLES
    max_accuracy_drop: float | None = None  # points of top-1
    keep_float: tuple[str, ...] = ()  # modules of the network
    target: str = ANY  # processors that the weights of int8 files are for
    fft: str = "auto"
    device: str = "host"  # that ``measure`` and the precision ``auto`` time on, or of ``repair``
    dynamic: str | None = None  # axes whose lengths are open, of `affnet.dynamic_axes`
    complex_as: str = "pair"  # what own networks' complex tensors are: a pair or its parts
    head: str | None = None
    layout: str | None = None
    preprocess: str = "spec"  # graph: the file has resize, crop and scaling inside
    input_size: tuple[int, int] | None = None  # of the pictures that such a file takes
    io_type: str = "float32"  # of an int8 file's borders: int8, uint8
    image_input: bool = False
    deployment_target: str | None = None
    verify: bool = True
    verify_on: str | None = None  # a folder or a file of inputs
    prove_on: str | None = None  # devices, by commas
    repair: bool = False  # what ``device`` computes wrongly is written in other forms

    @property
    def timed(self) -> tuple[str, ...]:
        """The options that time files, as a user writes them."""
        fft = (f"--fft {self.fft}",) if self.fft == MEASURE else ()
        return (*fft, *((f"--precision {AUTO}",) if AUTO in self.precisions else ()))

    @property
    def precisions(self) -> tuple[str, ...]:
        """The precisions that are named."""
        return tuple(split_names(self.precision or ""))

    @property
    def is_several(self) -> bool:
        """Whether it stands for several files."""
        return self.format == "all" or "," in self.format or "," in (self.precision or "")

    def to_json(self) -> str:
        """Return it as one JSON object."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ExportRequest:
        """Return what `to_json` wrote."""
        from pydantic import TypeAdapter

        return TypeAdapter(cls).validate_json(text)


def check_combination(request: ExportRequest) -> None:
    """Refuse options that say how to do what is not asked for, before anything is loaded.

    Raises:
        UsageError: with the option to add or to drop.
    """
    if request.dynamic is not None:
        parse_dynamic(request.dynamic)
    drop, data = request.max_accuracy_drop, request.calibration_data
    for option, value in (("--max-accuracy-drop", drop), ("--calibration-data", data)):
        if value is not None and not {*LOSSY, AUTO}.intersection(request.precisions):
            raise UsageError(
                f"{option} is for precisions that cost accuracy; add --precision "
                f"{', '.join(LOSSY)} or {AUTO}."
            )
    if drop is not None and not 0 <= drop <= 100:  # not a number, too
        raise UsageError(f"--max-accuracy-drop must be 0 to 100 points, not {drop:g}.")
    if request.target != ANY and not {*CALIBRATED, AUTO}.intersection(request.precisions):
        raise UsageError(
            "--target decides the weights of 8-bit files; add --precision int8 or auto."
        )
    if request.device != "host" and not request.timed and not request.repair:
        raise UsageError(
            "--device says where files are timed; add --fft measure or --precision auto, or "
            "--repair to make a file right there."
        )
    if request.repair and not request.verify:
        raise UsageError("--repair contradicts --no-verify; drop one of them.")
    if request.repair and AUTO in request.precisions:
        raise UsageError("--repair makes one file right; name a --precision other than auto.")
    if request.input_size is not None and request.preprocess != "graph":
        raise UsageError(
            "--input-size is of the pictures that a file resizes itself; add --preprocess graph."
        )
    if request.verify_on is not None and not request.verify:
        raise UsageError("--verify-on contradicts --no-verify; drop one of them.")
    if request.prove_on is not None and not request.verify:
        raise UsageError("--prove-on contradicts --no-verify; drop one of them.")
    if AUTO in request.precisions and not request.verify:
        raise UsageError("--precision auto compares files by running them; drop --no-verify.")
    if request.is_several and request.timed:
        raise UsageError(
            f"{request.timed[0]} times files, which exports to several formats would disturb; "
            "export one format at a time."
        )
