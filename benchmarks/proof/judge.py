"""One trial: a file of a known network, what verification says of it, and what it is."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import Tensor

from affnet.artifact import Artifact
from affnet.errors import AffnetError, first_line
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.export.verification.compare import verify_against
from affnet.export.verification.open import inputs_for
from affnet.export.verification.reference import Reference
from affnet.export.verification.subject import Subject
from affnet.model.source import Source, load_source
from affnet.parity import TOLERANCES
from affnet.silence import silenced
from benchmarks.proof.held_out import VISIBLE, held_out_inputs, references
from benchmarks.proof.networks import clean, planted

MODULE = "benchmarks.proof.networks"


@dataclass(frozen=True)
class Target:
    """A format, and the precision in it."""

    format: str
    precision: str = "fp32"

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read ``onnx`` or ``onnx:fp16``."""
        format_, _, precision = text.partition(":")
        return cls(format_, precision or "fp32")

    def __str__(self) -> str:
        return f"{self.format}-{self.precision}"


@dataclass(frozen=True)
class Trial:
    """What came of one file.

    It is counted where it is what it was made to be: a planted one visibly wrong on a held-out
    input, a clean one right on all of them, whatever verification says.
    """

    target: str
    name: str  # of the network that the file should hold, as `benchmarks.proof.networks` has it
    planted: bool
    number: int
    what: str  # kind and fault, or what is hard
    verdict: str  # passed, refused; "no file" where the format does not hold the network
    truth: str  # right, wrong, or unclear between both
    error: float  # the largest on held-out inputs, in tolerances
    seen_on: str  # the input it was on
    reason: str
    seconds: float

    @property
    def counted(self) -> bool:
        """Whether the file is what it was made to be."""
        return self.verdict != "no file" and self.truth == ("wrong" if self.planted else "right")

    @property
    def misjudged(self) -> bool:
        """Whether a wrong file passed, planted or not, or one that holds its network was refused.

        A planted fault that is too small to count may be refused.
        """
        refused = self.truth == "right" and self.verdict == "refused" and not self.planted
        return refused or (self.truth == "wrong" and self.verdict == "passed")


@dataclass(frozen=True)
class Task:
    """Which file to try: of a planted fault or a clean network, by seed and number."""

    target: Target
    planted: bool
    seed: int
    number: int
    keep: Path | None = None  # where files stay, and those of earlier trials are taken from

    @property
    def name(self) -> str:
        """The right network's name in `benchmarks.proof.networks`."""
        return f"{'fault' if self.planted else 'clean'}_{self.seed}_{self.number}"

    def network(self) -> tuple[str, str, tuple[int, ...]]:
        """Return what it is, the domain of its input and its shape."""
        if not self.planted:
            drawn = clean(self.seed, self.number)
            return drawn.what, drawn.domain, tuple(drawn.example.shape)
        pair = planted(self.seed, self.number)
        return f"{pair.kind}: {pair.fault}", pair.domain, tuple(pair.example.shape)


def trial(task: Task) -> Trial:
    """Write the file of one network, let verification judge it, and run it on held-out inputs."""
    started = time.perf_counter()
    what, domain, shape = task.network()
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        place = task.keep / str(task.target) / task.name if task.keep else Path(folder)
        verdict, truth, error, seen_on = "no file", "unclear", 0.0, ""
        try:
            source, artifact = _written(task, place)
        except AffnetError as failure:
            reason = str(failure)
        else:
            verdict, reason = _verdict(artifact, source)
            inputs = held_out_inputs(domain, shape)
            truth, error, seen_on = _truth(artifact, source, inputs, stable=not task.planted)
    return Trial(
        target=str(task.target),
        name=task.name,
        planted=task.planted,
        number=task.number,
        what=what,
        verdict=verdict,
        truth=truth,
        error=error,
        seen_on=seen_on,
        reason=reason,
        seconds=time.perf_counter() - started,
    )


def _written(task: Task, folder: Path) -> tuple[Source, Artifact]:
    """Return the source that a file is judged by, and the file, unverified."""
    target = task.target
    with silenced():
        source = load_source(f"{MODULE}:{task.name}")
        for manifest in folder.glob("*.manifest.json"):
            return source, Artifact.open(manifest.with_name(manifest.name.split(".manifest")[0]))
        written = load_source(f"{MODULE}:{task.name}_twin") if task.planted else source
        options = ExportOptions(target.format, precision=target.precision, verify=False)
        return source, export_artifact(written, options, folder)


def _verdict(artifact: Artifact, source: Source) -> tuple[str, str]:
    """Judge as an export does."""
    subject = Subject.of(artifact)
    try:
        reference = Reference(source)
        parity = verify_against(subject, source, inputs_for(subject, reference), reference)
    except AffnetError as error:
        return "refused", str(error)
    except Exception as error:  # a judge that stumbles refuses with a traceback
        return "refused", f"{type(error).__name__}: {first_line(error)}"
    worst = parity.worst
    assert worst is not None  # a program is judged input by input
    reason = f"error {worst.max_rel_error:.1e} on {worst.name}"
    return ("passed" if parity.passed else "refused"), ", ".join(filter(None, (reason, worst.note)))


def _truth(
    artifact: Artifact, source: Source, inputs: dict[str, Tensor], *, stable: bool
) -> tuple[str, float, str]:
    """Say what a file is, its largest error in any runtime, and the input that shows it.

    A fault shows wherever PyTorch's float32 agrees with its float64, as both networks of a pair
    round alike; of a clean network only what is ``stable`` is compared: what rounding leaves as it
    is.
    """
    tolerance = TOLERANCES[artifact.manifest.precision]
    expected = references(source.model, inputs, tolerance)
    errors = dict.fromkeys(inputs, 0.0)
    for session in Subject.of(artifact).sessions():
        for name, x in inputs.items():
            (given,) = session.run(x.numpy())
            errors[name] = max(errors[name], expected[name].error(given, stable=stable))
    worst = max(errors, key=lambda each: errors[each])
    error = errors[worst]
    truth = "wrong" if error > VISIBLE else "right" if error <= 1 else "unclear"
    return truth, error, worst
