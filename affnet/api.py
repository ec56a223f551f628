"""What commands do, for programs: the functions that `affnet` itself offers beside its records.

Each raises `affnet.errors.AffnetError` for everything that a user can cause.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from affnet.artifact import Artifact
from affnet.bench.budgets import check as checking
from affnet.bench.budgets.budget_file import read_budgets
from affnet.bench.budgets.check import CheckReport
from affnet.bench.budgets.devices import AttachedDevice
from affnet.bench.measurement.interleaved import label_jobs
from affnet.bench.measurement.protocol import get_protocol
from affnet.bench.measurement.sweep import sweep
from affnet.bench.results.result import Result
from affnet.devices.catalog import open_devices
from affnet.errors import UsageError
from affnet.export.open_or_export import ModelOpener
from affnet.files import scratch_folder
from affnet.parity import Parity
from affnet.runtimes import file_format, runtime_for
from affnet.runtimes.foreign import open_file

Progress = Callable[[str], None]


def verify_artifact(
    path: str | Path,
    *,
    against: str | None = None,
    config: str | Path | None = None,
    weights: str | Path | None = None,
    verify_on: str | Path | None = None,
) -> Parity:
    """Run a file beside PyTorch, as `affnet verify` does, and return how closely they agree.

    Args:
        path: An exported artifact, or with ``against`` any model file.
        against: The source to compare with, as of `affnet export`; by default the artifact's own.
        config: The training config of ``against``, where that is a checkpoint.
        weights: Of ``against``, where that is a peer.
        verify_on: A folder of pictures or arrays, or an .npz file, to compare on too: what a file
            in 8 bits of a network of the user's own needs.

    Raises:
        UsageError: a file without a manifest, and no ``against``; nothing in ``verify_on`` that
            fits, or none where it is needed.
        MissingError: the runtime is not installed.
    """
    from affnet.export.verification.compare import verify_against
    from affnet.export.verification.open import inputs_for, open_subject
    from affnet.export.verification.reference import Reference
    from affnet.export.verification.user_inputs import read_inputs

    subject, _, source = open_subject(
        Path(path), against, Path(config) if config else None, Path(weights) if weights else None
    )
    taken = subject.network_inputs(source)
    more = read_inputs(Path(verify_on), taken) if verify_on is not None else ()
    reference = Reference(source)
    return verify_against(subject, source, inputs_for(subject, reference, more), reference)


def measure_artifacts(
    paths: Sequence[str | Path],
    *,
    device: str = "host",
    runtime: str | None = None,
    threads: int = 1,
    preset: str = "default",
    devices_file: str | Path | None = None,
    progress: Progress = lambda _: None,
) -> list[Result]:
    """Measure files of one format side by side, in turns, as `affnet bench` does.

    Args:
        paths: Artifacts, or model files of other tools.
        device: A name of the catalog, or an address.
        runtime: What runs them; by default their format's own.
        threads: Of the CPU.
        preset: How long to measure: default, quick, check, benchmark_model or mlperf.
        devices_file: A catalog of devices instead of the user's own.
        progress: Called with each step.

    Returns:
        A result for each file, in their order, times in ns.

    Raises:
        UsageError: no files, files of several formats, an unknown device or preset.
        MissingError: the runtime or the device is missing.
        MeasurementError: a measuring process failed.
    """
    if not paths:
        raise UsageError("There is nothing to measure", "name a file.")
    names = [str(path) for path in paths]
    artifacts = [open_file(Path(name)) for name in names]
    chosen = runtime or runtime_for(file_format(names) or artifacts[0].manifest.format).name
    devices = open_devices(device, Path(devices_file) if devices_file else None)
    jobs, protocol = label_jobs(artifacts, chosen), get_protocol(preset)
    results = []
    for outcome in sweep(jobs, devices, protocol, threads=threads, progress=progress):
        if outcome.error is not None:
            raise outcome.error
        results += outcome.results
    return results


def check_budgets(
    path: str | Path = "budgets.toml",
    *,
    baseline: str | Path | None = None,
    devices_file: str | Path | None = None,
    max_rounds: int = 12,
    progress: Progress = lambda _: None,
) -> CheckReport:
    """Hold models to the budgets of a file, as `affnet check` does.

    Args:
        path: The file of budgets.
        baseline: A results file, or a folder of baseline artifacts.
        devices_file: A catalog of devices instead of the user's own.
        max_rounds: Rounds at most; measuring ends once every budget is decided.
        progress: Called with each step.

    Returns:
        The verdicts, PASS, FAIL or INCONCLUSIVE, in the order of the budgets, and the results.

    Raises:
        BudgetError: the file cannot be read, or a budget cannot be decided by what it compares.
        MissingError, MeasurementError: as `measure_artifacts`.
    """
    catalog = Path(devices_file) if devices_file else None

    def find(name: str) -> AttachedDevice:
        return AttachedDevice(open_devices(name, catalog)[0])

    with scratch_folder() as scratch:
        return checking.measure_and_evaluate(
            read_budgets(Path(path), devices_file=catalog),
            Path(baseline) if baseline else None,
            find,
            ModelOpener({}, None, scratch, progress),
            max_rounds=max_rounds,
            progress=progress,
        )


def open_artifact(path: str | Path) -> Artifact:
    """Open an exported file with its manifest, whose hash must be the file's.

    Raises:
        ArtifactError: it has no manifest, or is not the file that it describes.
    """
    return Artifact.open(Path(path))
