"""Export networks to formats at several sizes, and print how far each file is from PyTorch.

    python -m benchmarks.parity --formats onnx tflite coreml executorch --precision fp32
    python -m benchmarks.parity --networks affnet_deeplabv3 affnet_ssdlite --keep exported
    python -m benchmarks.parity --networks affnet_ssdlite --sizes 320x320 512x512 --precision fp16
    python -m benchmarks.parity --networks emoji affnet_et+gfnet --formats onnx --runtime tract

A network is any SOURCE of ``affnet export`` that takes images.  Each file is run in its format's
runtime on the inputs that every export is verified on, or in ``--runtime``.  The error is the
largest difference over the largest output of PyTorch with torch.fft in float32; top-1 the share of
images, pixels or anchors of the same class; of several outputs, the worst.  Weights are the seeded
random ones where the source has none.  A dense network is exported at its own size unless told
otherwise.  What stands in the folder of ``--keep`` is read there and not exported again, so that a
run that was ended goes on.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from affnet.artifact import Artifact
from affnet.commands.options import parse_size
from affnet.errors import AffnetError, ArtifactError
from affnet.export.converters import CONVERTERS, get_converter
from affnet.export.options import ExportOptions
from affnet.export.pipeline import export_artifact
from affnet.export.verification import compare
from affnet.export.verification.open import in_runtime, inputs_for
from affnet.export.verification.reference import Reference
from affnet.export.verification.subject import Subject
from affnet.model.source import Source, load_source
from affnet.model.variants import VARIANTS
from affnet.parity import Parity
from affnet.runtimes import RUNTIMES, runtime_for
from affnet.units import image_size

SIZES = [(256, 256), (224, 224), (192, 320)]  # of the networks that classify
FORMATS = ["onnx", "tflite", "coreml", "executorch"]
#: Parts of the names of operators that no file may have.
FORBIDDEN = ("fft", "dft", "complex", "custom", "flex")


def row(network: str, options: ExportOptions, folder: Path, runtime: str | None) -> str:
    """Return the table's row of one export, whose file is kept in ``folder``."""
    assert options.image_size is not None
    size = image_size(*options.image_size)
    try:
        source = load_source(network, image_size=options.image_size)
        artifact = kept(folder) or export_artifact(source, options, folder)
        parity = parity_in(runtime, artifact, source) if runtime else artifact.manifest.parity
    except AffnetError as error:
        return f"| {network} | {options.format} | {size} | {error} | | | |"
    operators = runtime_for(options.format).operators(artifact.path)
    assert parity is not None
    forbidden = [name for name in operators if any(part in name.lower() for part in FORBIDDEN)]
    cells = (
        network,
        runtime or options.format,
        size,
        f"{parity.max_rel_error:.1e}",
        f"{parity.psnr_db:.1f}",
        f"{parity.top1_agreement:.2%}",
        ", ".join(forbidden) or "none",
        str(len(artifact.manifest.fallbacks)),
    )
    return "| " + " | ".join(cells) + " |"


def parity_in(runtime: str, artifact: Artifact, source: Source) -> Parity:
    """Run a file in another runtime than that which proved it, as ``affnet verify`` does."""
    subject = in_runtime(Subject.of(artifact), runtime)
    reference = Reference(source)
    return compare.verify_against(subject, source, inputs_for(subject, reference), reference)


def kept(folder: Path) -> Artifact | None:
    """Return the artifact of an earlier run, whole and proven, if one is in ``folder``."""
    for manifest in folder.glob("*.manifest.json"):
        try:
            artifact = Artifact.open(manifest.with_name(manifest.name.split(".manifest")[0]))
        except ArtifactError:
            continue
        if artifact.manifest.parity is not None:
            return artifact
    return None


def usual_sizes(network: str) -> list[tuple[int, int]]:
    return SIZES if network in VARIANTS else [load_source(network).input.image_size()]


def main() -> None:
    """Print one row per export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--formats", nargs="+", choices=list(CONVERTERS), default=FORMATS)
    parser.add_argument("--networks", nargs="+", metavar="SOURCE", default=[*VARIANTS])
    parser.add_argument("--precision", choices=("fp32", "fp16"), default="fp32")
    parser.add_argument("--sizes", nargs="+", type=parse_size, metavar="HxW")
    parser.add_argument("--runtime", choices=RUNTIMES, help="instead of the format's own")
    parser.add_argument("--keep", type=Path, help="folder for the files; a temporary one if none")
    arguments = parser.parse_args()
    print("| network | format | image | max error | PSNR dB | top-1 | FFT or custom | fallbacks |")
    print("| --- | --- | --- | ---: | ---: | ---: | --- | ---: |")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.keep or Path(temporary)) / arguments.precision
        for format_ in arguments.formats:
            if arguments.precision not in get_converter(format_).precisions:
                continue
            for network in arguments.networks:
                for size in arguments.sizes or usual_sizes(network):
                    options = ExportOptions(format_, size, arguments.precision)
                    place = folder / network / f"{format_}-{image_size(*size)}"
                    print(row(network, options, place, arguments.runtime), flush=True)


if __name__ == "__main__":
    main()
