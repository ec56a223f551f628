"""Export every variant to every format at several sizes, and print how far each is from PyTorch.

    python benchmarks/parity.py --formats onnx tflite coreml executorch --precision fp32

Each file is run in its runtime on five images.  The error is the largest difference over the
largest logit of PyTorch with torch.fft in float32.  Weights are the seeded random ones.
"""

from __future__ import annotations

import argparse
import tempfile

from affnet.errors import AffnetError
from affnet.export.pipeline import ExportOptions, export_artifact
from affnet.model.source import load_source
from affnet.model.variants import VARIANTS
from affnet.runtimes import runtime_for
from affnet.units import image_size

SIZES = [(256, 256), (224, 224), (192, 320)]
FORMATS = ["onnx", "tflite", "coreml", "executorch"]
#: Parts of the names of operators that no file may have.
FORBIDDEN = ("fft", "dft", "complex", "custom", "flex")


def row(variant: str, format_: str, size: tuple[int, int], precision: str) -> str:
    options = ExportOptions(format_, size, precision)
    with tempfile.TemporaryDirectory() as folder:
        try:
            artifact = export_artifact(load_source(variant), options, folder)
        except AffnetError as error:
            return f"| {variant} | {format_} | {image_size(*size)} | {error} | | | |"
        manifest, parity = artifact.manifest, artifact.manifest.parity
        operators = runtime_for(format_).operators(artifact.path)
    assert parity is not None
    forbidden = [name for name in operators if any(part in name.lower() for part in FORBIDDEN)]
    cells = (
        variant,
        format_,
        image_size(*size),
        f"{parity.max_rel_error:.1e}",
        f"{parity.psnr_db:.1f}",
        f"{parity.top1_agreement:.0%}",
        ", ".join(forbidden) or "none",
        str(len(manifest.fallbacks)),
    )
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print one row per export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--precision", choices=("fp32", "fp16"), default="fp32")
    arguments = parser.parse_args()
    print("| variant | format | image | max error | PSNR dB | top-1 | FFT or custom | fallbacks |")
    print("| --- | --- | --- | ---: | ---: | ---: | --- | ---: |")
    for format_ in arguments.formats:
        for variant in arguments.variants:
            for size in SIZES:
                print(row(variant, format_, size, arguments.precision), flush=True)


if __name__ == "__main__":
    main()
