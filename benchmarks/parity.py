"""Export every variant to every format at several sizes, and print how far each is from PyTorch.

    python benchmarks/parity.py --formats onnx tflite coreml executorch --precision fp32
    python benchmarks/parity.py --networks affnet_deeplabv3 affnet_ssdlite --keep exported
    python benchmarks/parity.py --networks affnet_ssdlite --sizes 320x320 512x512 --precision fp16

Each file is run in its runtime on five images.  The error is the largest difference over the
largest output of PyTorch with torch.fft in float32; top-1 the share of images, pixels or anchors
of the same class; of several outputs, the worst.  Weights are the seeded random ones.  A dense
network is exported at its own size unless told otherwise.  What stands in the folder of ``--keep``
is read there and not exported again, so that a run that was ended goes on.
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
from affnet.model.create import NETWORKS
from affnet.model.peers import DETECTION_PEERS, SEGMENTATION_PEERS
from affnet.model.source import load_source
from affnet.model.variants import VARIANTS
from affnet.runtimes import runtime_for
from affnet.units import image_size

SIZES = [(256, 256), (224, 224), (192, 320)]  # of the networks that classify
FORMATS = ["onnx", "tflite", "coreml", "executorch"]
NAMES = (*NETWORKS, *SEGMENTATION_PEERS, *DETECTION_PEERS)  # other peers have benchmarks/peers.py
#: Parts of the names of operators that no file may have.
FORBIDDEN = ("fft", "dft", "complex", "custom", "flex")


def row(network: str, options: ExportOptions, folder: Path) -> str:
    """Return the table's row of one export, whose file is kept in ``folder``."""
    assert options.image_size is not None
    size = image_size(*options.image_size)
    try:
        artifact = kept(folder) or export_artifact(load_source(network), options, folder)
    except AffnetError as error:
        return f"| {network} | {options.format} | {size} | {error} | | | |"
    manifest, parity = artifact.manifest, artifact.manifest.parity
    operators = runtime_for(options.format).operators(artifact.path)
    assert parity is not None
    forbidden = [name for name in operators if any(part in name.lower() for part in FORBIDDEN)]
    cells = (
        network,
        options.format,
        size,
        f"{parity.max_rel_error:.1e}",
        f"{parity.psnr_db:.1f}",
        f"{parity.top1_agreement:.2%}",
        ", ".join(forbidden) or "none",
        str(len(manifest.fallbacks)),
    )
    return "| " + " | ".join(cells) + " |"


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
    parser.add_argument("--networks", nargs="+", choices=NAMES, default=list(VARIANTS))
    parser.add_argument("--precision", choices=("fp32", "fp16"), default="fp32")
    parser.add_argument("--sizes", nargs="+", type=parse_size, metavar="HxW")
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
                    print(row(network, options, place), flush=True)


if __name__ == "__main__":
    main()
