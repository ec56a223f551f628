"""``affnet eval``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affnet import console
from affnet.commands.evaluate_cluster import check_runtime, evaluate_on_cluster
from affnet.commands.evaluate_dense import dense_subject, evaluate_dense, print_dense, task_of_data
from affnet.commands.options import (
    RUNTIME_NAMES,
    AcceleratorOption,
    ClusterOption,
    ConfigOption,
    InsecureOption,
    JsonOption,
    NoCacheOption,
    QuietOption,
    RuntimeName,
    WeightsOption,
    assumed_of,
)
from affnet.errors import AffnetError, UsageError
from affnet.files import scratch_folder

if TYPE_CHECKING:
    from affnet.artifact import Artifact
    from affnet.devices.base import Device
    from affnet.evaluation.agreement import Agreement
    from affnet.evaluation.classification import Accuracy
    from affnet.evaluation.classifiers import Classifier, Loaded
    from affnet.evaluation.dense import DenseSubject
    from affnet.model.source import Source


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            help="A file that export made, or a source.  Default: what export wrote last."
        ),
    ] = "",
    *,
    data: Annotated[
        str,
        typer.Option(
            help="A folder of one folder of images per class, or emoji (bundled); for dense "
            "networks a folder of images/ with masks/ or annotations.json."
        ),
    ],
    runtime: Annotated[
        RuntimeName | None,
        typer.Option(
            metavar="RUNTIME",
            help=f"Export a source for {RUNTIME_NAMES} first; default: run it in PyTorch.",
        ),
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="The source to agree with; default: the artifact's own.")
    ] = None,
    config: ConfigOption = None,
    weights: WeightsOption = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Take a random sample of so many images.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1)] = 1,
    device: Annotated[
        str | None,
        typer.Option(help="Run the file there: arm64, arm64:cortex-a53 (emulated), a board."),
    ] = None,
    accelerator: AcceleratorOption = None,
    cluster: ClusterOption = None,
    insecure: InsecureOption = False,
    record: Annotated[
        bool, typer.Option("--record", help="Keep the accuracy in the artifact's manifest.")
    ] = False,
    _no_cache: NoCacheOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure accuracy on labelled images, and agreement with PyTorch.

    It is top-1 and top-5 of a classifier, mIoU of segmentation, COCO's mAP of detection.

    Example: affnet eval emoji.onnx --data emoji --record
    On an Arm processor that is emulated: affnet eval emoji.onnx --data emoji --device arm64
    """
    elsewhere = device or accelerator
    if record and (limit or runtime or elsewhere):
        raise UsageError(
            "--record keeps what an artifact gets here on all images: no --limit, --runtime, "
            "--device, --accelerator."
        )
    if cluster is not None and (record or against or elsewhere or task_of_data(data) is not None):
        raise UsageError(
            "--cluster is for the top-1 and top-5 of classifiers: no --record, --against, "
            "--device, --accelerator."
        )
    if cluster is not None and runtime is not None:
        check_runtime(runtime)
    place = _place(device, accelerator)
    if (task := task_of_data(data)) is not None:
        if record or against or elsewhere:
            raise UsageError("--record, --against, --device and --accelerator are for classifiers.")
        _evaluate_dense(task, data, limit, model, runtime, config, weights, threads, json, quiet)
        return
    with (
        scratch_folder() as scratch,
        console.progress(quiet) as show,
        ExitStack() as stack,
    ):

        def open_model() -> tuple[Artifact | None, Source | None]:
            return _open(model, runtime, config, weights, scratch, show)

        every = _sparingly(show)
        if cluster is not None:
            found = evaluate_on_cluster(
                cluster, insecure, data, limit, threads, open_model, every, quiet
            )
        else:

            def loaded(artifact: Artifact | None) -> Loaded | None:
                if place is not None:
                    return stack.enter_context(_loaded(place, artifact, runtime, show))
                from affnet.evaluation.classifiers import load

                return load(artifact, threads, runtime) if artifact and runtime else None

            found = _evaluate_here(
                data, limit, threads, open_model, loaded, against, config, record, every, quiet
            )
    _print(*found, json=json, quiet=quiet)


def _evaluate_here(
    data: str,
    limit: int | None,
    threads: int,
    open_model: Callable[[], tuple[Artifact | None, Source | None]],
    load: Callable[[Artifact | None], Loaded | None],
    against: str | None,
    config: Path | None,
    record: bool,
    show: Callable[[str], None],
    quiet: bool,
) -> tuple[Classifier, Accuracy, Agreement | None]:
    from affnet.evaluation import agreement as agreeing
    from affnet.evaluation import recording
    from affnet.evaluation.classification import classify
    from affnet.evaluation.datasets import open_dataset

    dataset = open_dataset(data).limited(limit)
    artifact, source = open_model()
    if record and not (artifact and artifact.proven):
        raise UsageError("--record needs an artifact, whose manifest keeps the accuracy.")
    if artifact and not artifact.proven:
        console.note(assumed_of(artifact.path), quiet)
    subject = _classifier(artifact, source, threads, load(artifact))
    accuracy = classify(
        subject.predict, dataset, subject.preprocessing, labels=subject.labels, show=show
    )
    reference = _reference(artifact, against, config, quiet)
    agreement = agreeing.agree(accuracy, subject, reference, dataset, show) if reference else None
    if record and artifact:
        recording.keep(artifact, accuracy, subject.runtime)
    return subject, accuracy, agreement


def _print(
    subject: Classifier,
    accuracy: Accuracy,
    agreement: Agreement | None,
    *,
    json: bool,
    quiet: bool,
) -> None:
    from affnet.evaluation import report

    for sentence in accuracy.skipped:
        console.note(f"Skipped: {sentence}", quiet)
    if json:
        console.print_json(report.record(subject, accuracy, agreement))
    else:
        console.print_fields(report.fields(subject, accuracy, agreement))


def _open(
    model: str,
    runtime: str | None,
    config: Path | None,
    weights: Path | None,
    scratch: Path,
    show: Callable[[str], None],
) -> tuple[Artifact | None, Source | None]:
    """Return an artifact, exported first where ``runtime`` is to run a source; or a source."""
    from affnet.export.open_or_export import check_takes_weights, open_or_export
    from affnet.model.source_file import check_source_file
    from affnet.runtimes import get_runtime, names_artifact
    from affnet.runtimes.foreign import open_file

    if runtime is not None:
        form = get_runtime(runtime).format
        return open_or_export(model, form, None, "auto", scratch, show, weights), None
    show(f"Loading {model}")
    check_takes_weights(model, weights)
    if names_artifact(model):
        return open_file(Path(model)), None
    check_source_file(model)
    from affnet.model.source import load_source

    return None, load_source(model, config=config, weights=weights)


def _place(device: str | None, accelerator: str | None) -> Device | None:
    if device is None and accelerator is None:
        return None
    from affnet.devices.catalog import devices_to_prove_on

    place, *more = devices_to_prove_on(device or "host", accelerator=accelerator)
    if more:
        raise UsageError("--device of affnet eval takes one device; evaluate on each by itself.")
    return place


@contextmanager
def _loaded(
    place: Device, artifact: Artifact | None, runtime: str | None, show: Callable[[str], None]
) -> Iterator[Loaded]:
    """Load a file on a device."""
    from affnet.devices.inference import open_session
    from affnet.evaluation.classifiers import Loaded

    if artifact is None:
        raise UsageError(
            "--device runs a file, and MODEL is a source; export it first, or add --runtime."
        )
    with open_session(place, artifact, show, runtime) as session:
        untimed = f"{place.name} is no part of this process"
        yield Loaded(session, f"{session.runtime} on {place.name}", untimed)


def _classifier(
    artifact: Artifact | None, source: Source | None, threads: int, loaded: Loaded | None
) -> Classifier:
    from affnet.evaluation.classifiers import Classifier

    if artifact:
        return Classifier.of_artifact(artifact, threads, loaded)
    import torch

    assert source is not None
    torch.set_num_threads(threads)
    return Classifier.of_source(source)


def _evaluate_dense(
    task: str,
    data: str,
    limit: int | None,
    model: str,
    runtime: str | None,
    config: Path | None,
    weights: Path | None,
    threads: int,
    json: bool,
    quiet: bool,
) -> None:
    with (
        scratch_folder() as scratch,
        console.progress(quiet) as show,
    ):

        def open_subject() -> DenseSubject:
            opened = _open(model, runtime, config, weights, scratch, show)
            return dense_subject(opened, threads, runtime)

        found = evaluate_dense(task, data, limit, open_subject, _sparingly(show))
    print_dense(found, json)


def _reference(
    artifact: Artifact | None, against: str | None, config: Path | None, quiet: bool
) -> Source | None:
    """Return what to compare with; say why where an artifact's own source cannot be had."""
    from affnet.model.source import load_source, reload_source

    if against is not None:
        return load_source(against, config=config)
    if artifact is None:
        return None
    try:
        return reload_source(artifact.manifest.provenance, artifact.path)
    except AffnetError as error:
        console.note(f"Agreement with PyTorch is not available: {error}", quiet)
        return None


def _sparingly(show: Callable[[str], None]) -> Callable[[str], None]:
    """Pass on one step a second; outside a terminal, where each is a line of its own, fewer."""
    interval = 1.0 if sys.stderr.isatty() else 15.0
    last = 0.0

    def show_some(step: str) -> None:
        nonlocal last
        if (now := time.monotonic()) - last >= interval:
            last = now
            show(step)

    return show_some
