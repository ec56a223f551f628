"""One trial: a file of a known network, what verification says of it, and what it is."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from affnet.artifact import Artifact
from affnet.errors import AffnetError, first_line
from affnet.export.pipeline import export_artifact
from affnet.export.request import ExportOptions
from affnet.export.verification.compare import Subject, verify_against
from affnet.model.source import Source, load_source
from affnet.parity import TOLERANCES
from affnet.runtimes import Session, runtime_for
from affnet.silence import silenced
from benchmarks.proof.held_out import held_out_inputs, references
from benchmarks.proof.networks import clean, planted

MODULE = "benchmarks.proof.networks"
_VISIBLE = 10  # tolerances


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
    what: str  # kind and fault, or what is hard
    verdict: str  # passed, refused; "no file" where the format does not hold the network
    truth: str  # right, wrong, or unclear between both
    error: float  # the largest on held-out inputs, of the largest output
    seen_on: str  # the input it was on
    reason: str
    seconds: float

    @property
    def counted(self) -> bool:
        """Whether the file is what it was made to be."""
        return self.verdict != "no file" and self.truth == ("wrong" if self.planted else "right")

    @property
    def misjudged(self) -> bool:
        """Whether a wrong file passed, planted or not, or a right one was refused."""
        return (self.truth, self.verdict) in (("wrong", "passed"), ("right", "refused"))


def trial(
    target: Target, is_planted: bool, seed: int, number: int, keep: Path | None = None
) -> Trial:
    """Write the file of one network, let verification judge it, and run it on held-out inputs.

    A file that an earlier trial left in ``keep`` is taken instead of a new one.
    """
    started = time.perf_counter()
    name = f"{'fault' if is_planted else 'clean'}_{seed}_{number}"
    if is_planted:
        pair = planted(seed, number)
        what, domain, shape = f"{pair.kind}: {pair.fault}", pair.domain, pair.example.shape
    else:
        drawn = clean(seed, number)
        what, domain, shape = drawn.what, drawn.domain, drawn.example.shape

    def trial_of(verdict: str, truth: str, error: float, seen_on: str, reason: str) -> Trial:
        seconds = time.perf_counter() - started
        return Trial(
            str(target), name, is_planted, what, verdict, truth, error, seen_on, reason, seconds
        )

    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            place = keep / str(target) / name if keep else Path(folder)
            source, artifact = _written(target, name, is_planted, place)
        except AffnetError as error:
            return trial_of("no file", "unclear", 0.0, "", str(error))
        verdict, reason = _verdict(artifact, source)
        truth, error, seen_on = _truth(artifact, source, target, domain, shape, is_planted)
    return trial_of(verdict, truth, error, seen_on, reason)


def _written(target: Target, name: str, planted: bool, folder: Path) -> tuple[Source, Artifact]:
    """Return the source that a file is judged by, and the file, unverified."""
    with silenced():
        source = load_source(f"{MODULE}:{name}")
        for manifest in folder.glob("*.manifest.json"):
            return source, Artifact.open(manifest.with_name(manifest.name.split(".manifest")[0]))
        written = load_source(f"{MODULE}:{name}_twin") if planted else source
        options = ExportOptions(target.format, precision=target.precision, verify=False)
        return source, export_artifact(written, options, folder)


def _verdict(artifact: Artifact, source: Source) -> tuple[str, str]:
    """Judge as an export does."""
    try:
        parity = verify_against(Subject.of(artifact), source)
    except AffnetError as error:
        return "refused", str(error)
    except Exception as error:  # a judge that stumbles refuses with a traceback
        return "refused", f"{type(error).__name__}: {first_line(error)}"
    worst = parity.worst
    assert worst is not None  # a program is judged input by input
    reason = f"error {worst.max_rel_error:.1e} on {worst.name}"
    return ("passed" if parity.passed else "refused"), ", ".join(filter(None, (reason, worst.note)))


def _truth(
    artifact: Artifact,
    source: Source,
    target: Target,
    domain: str,
    shape: tuple[int, ...],
    planted: bool,
) -> tuple[str, float, str]:
    """Say what a file is, its largest error, and the input that shows it.

    A fault shows wherever PyTorch's float32 agrees with its float64, as both networks of a pair
    round alike; of a clean network only what does not depend on rounding is compared.
    """
    tolerance = TOLERANCES[target.precision]
    inputs = held_out_inputs(domain, tuple(shape))
    expected = references(source.model, inputs, tolerance)
    session: Session = runtime_for(target.format).load(artifact.path, threads=1)
    errors = {}
    for name, x in inputs.items():
        (given,) = session.run(x.numpy())
        errors[name] = expected[name].error(given, stable=not planted)
    worst = max(errors, key=lambda each: errors[each])
    error, allowed = errors[worst], tolerance.max_rel_error
    truth = "wrong" if error > _VISIBLE * allowed else "right" if error <= allowed else "unclear"
    return truth, error, worst
