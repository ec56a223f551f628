"""The golden test of a package: a picture, its pixels for the network, and what the network says.

All is computed by affnet itself, in the runtime of this machine.  The picture is a photo of odd
sides with an EXIF orientation, in JPEG as phones write it; in PNG for targets whose own decoders of
JPEG round otherwise than Pillow's, and from device to device.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import COORDINATES, Artifact
from affnet.detections import softmax
from affnet.layouts import as_input
from affnet.model.bundled import photographs
from affnet.parity import TOLERANCES
from affnet.runtimes import runtime_for
from affnet.templates.contract import Contract

#: Files of the golden test, in its folder.
PIXELS, RECORD, NUMBERS = "golden.pixels", "golden.json", "golden.txt"
_PHOTOGRAPH = "portrait"  # in the public domain
_SIDES = (231, 171)  # width and height that are cut out of it
_ORIENTATION, _TURNED = 0x0112, 6  # the tag, and a phone held upright
_VALUES = 1000  # of an output, at most
_COARSEST = 0.05  # of the largest value: the same file in another version of a runtime


def write_golden(contract: Contract, folder: Path, suffix: str) -> None:
    """Write the golden test of a package into ``folder``, with a picture in JPEG or PNG.

    Raises:
        AffnetError: as `affnet.runtimes.Runtime.load`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"golden{suffix}"
    path.write_bytes(_picture(suffix))
    from PIL import Image

    with Image.open(path) as image:
        preprocessing = contract.artifact.pixel_contract()
        pixels = preprocessing.pixels(image)
        (folder / PIXELS).write_bytes(pixels.tobytes())
        outputs = _outputs(contract.artifact, preprocessing(image))
    recorded = _best_rows(outputs) if gives_rows(contract) else [_sampled(one) for one in outputs]
    record = {
        "picture": path.name,
        "pixels": PIXELS,
        "tolerance": _tolerance(contract),
        "outputs": recorded,
        "answer": _answer(contract, outputs),
    }
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _tolerance(contract: Contract) -> float:
    if contract.accelerator == "gpu":  # which computes in float16
        return _COARSEST
    return min(TOLERANCES[contract.artifact.manifest.precision].max_rel_error, _COARSEST)


def write_numbers(folder: Path, record: dict[str, Any]) -> None:
    """Write the numbers of ``golden.json`` for languages without a parser of JSON.

    The tolerance; of each output the step, the largest value, the count, and then the values.
    """
    lines = [repr(record["tolerance"])]
    for output in record["outputs"]:
        lines.append(f"{output['step']} {output['largest']!r} {len(output['values'])}")
        lines.append(" ".join(map(repr, output["values"])))
    (folder / NUMBERS).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _picture(suffix: str) -> bytes:
    from PIL import Image

    (path,) = (path for path in photographs() if path.stem == _PHOTOGRAPH)
    exif = Image.Exif()
    exif[_ORIENTATION] = _TURNED
    with Image.open(path) as image:
        jpeg = io.BytesIO()
        image.crop((13, 20, 13 + _SIDES[0], 20 + _SIDES[1])).save(
            jpeg, "JPEG", quality=92, exif=exif
        )
    if suffix == ".jpg":
        return jpeg.getvalue()
    with Image.open(jpeg) as image:
        png = io.BytesIO()
        image.save(png, "PNG", exif=exif)
    return png.getvalue()


def _outputs(artifact: Artifact, image: NDArray[np.float32]) -> list[NDArray[Any]]:
    manifest = artifact.manifest
    session = runtime_for(manifest.format).load(artifact.path, threads=1)
    return session.run(as_input(image[None], manifest.inputs[0]))


def gives_rows(contract: Contract) -> bool:
    """Return whether a detector's file gives a row for each object, as Core ML's suppression does.

    How many they are, and which of about equal ones is first, is up to the device.
    """
    return contract.outputs[-1].name == COORDINATES


def _best_rows(outputs: list[NDArray[Any]]) -> list[dict[str, Any]]:
    """Return the best rows of each output whole, without those that only fill it."""
    count = _VALUES // max(output.shape[-1] for output in outputs)
    real = int((outputs[0][0].max(axis=-1) > 0).sum())
    return [_sampled(output[0, : min(count, real)]) for output in outputs]


def _sampled(output: NDArray[Any]) -> dict[str, Any]:
    """Return values of an output in equal steps, which small ones have all of."""
    values = np.asarray(output, np.float32).ravel()
    step = -(-len(values) // _VALUES) or 1
    return {
        "step": step,
        "largest": float(np.abs(values).max(initial=0)),
        "values": [float(value) for value in values[::step]],
    }


def _answer(contract: Contract, outputs: list[NDArray[Any]]) -> dict[str, Any] | None:
    """Return a classifier's class, its label and its score; of others the outputs say all."""
    if contract.task != "classification":
        return None
    scores = np.asarray(outputs[0][0], np.float32)
    if not contract.artifact.manifest.gives_probabilities:
        scores = softmax(scores)
    best = int(scores.argmax())
    return {"class": best, "label": contract.labels[best], "score": float(scores[best])}
