"""Whether a device computes what this machine computes."""

from __future__ import annotations

from affnet.artifact import Artifact
from affnet.devices.base import ComputingProcess, Device, MeasuringProcess
from affnet.errors import MissingError, first_line
from affnet.parity import TOLERANCES, Parity, compare, reference_inputs
from affnet.placement import CPU
from affnet.runtimes import runtime_for


def check_outputs(
    process: MeasuringProcess, artifact: Artifact, device: Device, runtime: str | None = None
) -> Parity | str | None:
    """Compare the outputs for the reference inputs with those of this machine's runtime.

    ``runtime`` is what ``process`` runs the file in; default: the one of its format.

    Return a sentence without its full stop where that cannot be done, and None where there is
    nothing to prove: this machine's own runtime of the format ran the file when it was exported.
    """
    own = runtime_for(artifact.manifest.format)
    elsewhere = getattr(device.settings, "accelerator", CPU) != CPU
    is_proven = not (device.capabilities.remote or elsewhere) and runtime in (None, own.name)
    if not isinstance(process, ComputingProcess) or is_proven:
        return None
    actual = process.outputs()
    if actual is None:
        return f"{device.name} does not report its outputs, which were not compared"
    manifest = artifact.manifest
    inputs = reference_inputs(manifest.described_inputs())
    try:
        expected = own.load(artifact.path, threads=1).run(*inputs)
    except MissingError as error:
        return f"outputs were not compared with this machine's: {first_line(error)}"
    # the coarser arithmetic decides: a file's float16 weights, or a GPU that computes in it
    coarse = "fp16" in (manifest.precision, process.arithmetic)
    class_axes = [output.class_axis for output in manifest.outputs]
    return compare(expected, actual, TOLERANCES["fp16" if coarse else "fp32"], class_axes)


def parity_warning(parity: Parity) -> str:
    """Say how outputs disagree, a sentence without its full stop."""
    return (
        f"outputs differ from this machine's by {parity.max_rel_error:.1e} of the largest "
        f"(at most {parity.tolerance:.0e}), PSNR {parity.psnr_db:.0f} dB"
    )
