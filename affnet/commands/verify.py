"""``affnet verify``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affnet import console
from affnet.commands.options import (
    RUNTIME_NAMES,
    AcceleratorOption,
    ConfigOption,
    DevicesFileOption,
    JsonOption,
    QuietOption,
    RuntimeName,
    VerifyOnOption,
    WeightsOption,
)
from affnet.errors import UsageError

if TYPE_CHECKING:
    from affnet.artifact import Artifact
    from affnet.devices.base import Device
    from affnet.evidence import DeviceProof
    from affnet.export.verification.inputs import VerificationInput
    from affnet.model.source import Source


def verify(
    artifact: Annotated[
        Path,
        typer.Argument(
            help="An exported artifact, or any model file together with --against.  "
            "Default: what export wrote last."
        ),
    ] = Path(),
    against: Annotated[
        str | None, typer.Option(help="The source; default: the one it was exported from.")
    ] = None,
    config: ConfigOption = None,
    weights: WeightsOption = None,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Also on all held-out images of a bundled source.")
    ] = False,
    verify_on: VerifyOnOption = None,
    from_images: Annotated[
        Path | None,
        typer.Option(
            "--from-images",
            metavar="FOLDER",
            help="Compare from the files of pictures to their classes instead, and measure what "
            "other resizers would cost.",
        ),
    ] = None,
    runtime: Annotated[
        RuntimeName | None,
        typer.Option(
            metavar="RUNTIME",
            help=f"Run it in {RUNTIME_NAMES}; default: the one that its format belongs to.",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            help="Also run it there: arm64, arm64:cortex-a53 (emulated), a board; several by "
            "commas.",
        ),
    ] = None,
    limit: Annotated[
        int,
        typer.Option(min=1, help="So many of the held-out images on --device."),
    ] = 100,
    accelerator: AcceleratorOption = None,
    bisect: Annotated[
        bool,
        typer.Option("--bisect", help="Find the operators that --device computes wrongly."),
    ] = False,
    reproduce: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where --bisect writes each wrong operator alone, with its inputs.  "
            "Default: FILE.bisect beside the file.",
        ),
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="Keep what --device gave in the manifest.")
    ] = False,
    signed_by: Annotated[
        Path | None,
        typer.Option(
            "--signed-by", metavar="PUBLIC_KEY", help="Check its signature first, as sign makes it."
        ),
    ] = None,
    signature_only: Annotated[
        bool, typer.Option("--signature-only", help="Nothing else: the source need not be there.")
    ] = False,
    devices_file: DevicesFileOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a file and compare its outputs with PyTorch's; exit code 1 if they disagree.

    Example: affnet verify emoji.onnx --held-out
    On an Arm processor that is emulated: affnet verify emoji.onnx --device arm64
    The operator that is wrong there: affnet verify emoji.onnx --device arm64 --bisect
    A file of another tool: affnet verify their.mlpackage --against my.pt2
    """
    signature = _signature(artifact, signed_by, signature_only, quiet)
    if signature_only:
        console.print_json(signature) if json else console.print_fields(signature)
        return
    _check_request(artifact, against, weights, from_images, held_out or verify_on is not None)
    if from_images is not None:
        _verify_from_images(artifact, against, config, weights, from_images, json, quiet)
        return
    places = _places(device, devices_file, record, accelerator, bisect, reproduce)
    with console.progress(quiet) as show:
        show(f"Running {artifact} and comparing it with PyTorch")
        from affnet.export.bisection.opening import bisect_each, check_cuttable
        from affnet.export.reporting.verification import Verification
        from affnet.export.verification import compare
        from affnet.export.verification.open import inputs_for, open_subject
        from affnet.export.verification.reference import Reference
        from affnet.export.verification.user_inputs import read_inputs

        subject, opened, source = open_subject(artifact, against, config, weights, runtime)
        if bisect:
            check_cuttable(subject.format)
        more = read_inputs(verify_on, subject.network_inputs(source)) if verify_on else ()
        reference = Reference(source)
        inputs = inputs_for(subject, reference, more, show)
        parity = compare.verify_against(subject, source, inputs, reference)
        agreement = compare.verify_held_out(subject, source) if held_out else None
        file = opened or subject.as_artifact()
        proofs = _proofs(file, source, inputs, places, limit if held_out else None, record, show)
        searches = None
        if bisect:
            proven = list(zip(places, proofs, strict=True))
            searches = bisect_each(file, source, inputs, proven, runtime, reproduce, show)
        found = Verification(subject, opened, parity, agreement, proofs, searches)
    if json:
        console.print_json(found.record() | signature)
    else:
        console.print_fields(found.fields() | signature)
        for table in found.tables():
            console.print_table(table)
    if not found.passed:
        raise typer.Exit(1)


def _check_request(
    artifact: Path,
    against: str | None,
    weights: Path | None,
    from_images: Path | None,
    more_inputs: bool,
) -> None:
    """Refuse what can be refused before PyTorch is imported, which takes seconds."""
    from affnet.artifact import Artifact
    from affnet.model.source_file import check_source_file

    if weights is not None and against is None:
        raise UsageError("--weights fills the peer to compare with; name it with --against.")
    if from_images is not None and more_inputs:
        raise UsageError("--from-images takes neither --held-out nor --verify-on.")
    if against is None:
        Artifact.open(artifact)
    else:
        check_source_file(against)


def _signature(
    artifact: Path, signed_by: Path | None, signature_only: bool, quiet: bool
) -> dict[str, str]:
    """Check the signature if asked, and return what is shown of it."""
    from affnet.artifact import Artifact
    from affnet.publishing.contents import has_signature, signature_path

    if signed_by is None:
        if signature_only:
            raise UsageError("--signature-only checks a signature; name the key with --signed-by.")
        if has_signature(artifact):
            console.note(
                f"{signature_path(artifact)} is not checked without --signed-by PUBLIC_KEY.", quiet
            )
        return {}
    from affnet.publishing import signature

    Artifact.open(artifact)
    found = signature.check(artifact, signed_by)
    return {"signature": f"by the owner of {signed_by}, of {', '.join(found.files)}"}


def _verify_from_images(
    artifact: Path,
    against: str | None,
    config: Path | None,
    weights: Path | None,
    folder: Path,
    json: bool,
    quiet: bool,
) -> None:
    with console.progress(quiet) as show:
        show(f"Loading {artifact}")
        from affnet.export.reporting import from_images as report
        from affnet.export.verification.from_images import verify_from_images
        from affnet.export.verification.open import open_subject

        _, opened, source = open_subject(artifact, against, config, weights)
        if opened is None:
            raise UsageError(
                f"{artifact} has no manifest, which states how pictures become its input."
            )
        found = verify_from_images(opened, source, folder, show)
    for sentence in found.skipped:
        console.note(f"Skipped: {sentence}", quiet)
    if json:
        console.print_json(report.record(opened, found))
    else:
        console.print_fields(report.fields(opened, found))
        console.print_table(report.resizers(found))
        if warning := report.warning(found):
            console.note(warning, quiet)
    if not found.passed:
        raise typer.Exit(1)


def _places(
    device: str | None,
    devices_file: Path | None,
    record: bool,
    accelerator: str | None,
    bisect: bool,
    reproduce: Path | None,
) -> list[Device]:
    if reproduce is not None and not bisect:
        raise UsageError("--reproduce is where --bisect writes; add --bisect.")
    if device is None and accelerator is None:
        needing = {"--record": record, "--bisect": bisect}
        if option := next((name for name, given in needing.items() if given), None):
            raise UsageError(f"{option} needs a device to run on; add --device.")
        return []
    from affnet.devices.catalog import devices_to_prove_on

    return devices_to_prove_on(device or "host", devices_file, accelerator=accelerator)


def _proofs(
    artifact: Artifact,
    source: Source,
    inputs: Sequence[VerificationInput],
    places: Sequence[Device],
    images: int | None,
    record: bool,
    show: Callable[[str], None],
) -> list[DeviceProof]:
    """Prove a file on each device, and keep in its manifest that it agrees, if ``record``."""
    from affnet.export.verification import on_device
    from affnet.export.verification.reference import Reference

    if record and not artifact.proven:
        raise UsageError("--record needs an artifact, whose manifest keeps the proof.")
    reference, proofs = Reference(source), []
    for place in places:
        proof = on_device.prove(artifact, source, inputs, place, images, reference, show)
        if record and proof.parity.passed:
            artifact = on_device.keep(artifact, proof)
        proofs.append(proof)
    return proofs
