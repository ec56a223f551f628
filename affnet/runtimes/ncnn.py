"""ncnn on the CPU, in float32.

A file says neither how long the axes of its outputs are nor, unless affnet wrote it, those of its
input, and it has no batch axis.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import TensorSpec
from affnet.errors import ArtifactError, UsageError, require
from affnet.runtimes import Interface
from affnet.silence import silenced

#: What every network is loaded with; an app on x86 must set them too.  Packed layouts make the
#: reshapes between transforms five times as slow there, and float16 is on by default even there.
SETTINGS = {
    "use_packing_layout": False,
    "use_fp16_packed": False,
    "use_fp16_storage": False,
    "use_fp16_arithmetic": False,
}
_MAGIC = "7767517"
_HALF_TAG = (0x01306B47).to_bytes(4, "little")  # before weights of float16
_INPUT = "Input"
_AXES = {"2": 1, "1": 2, "0": 3}  # the parameters of an input, to axes of N x C x H x W


class NcnnRuntime:
    """Runs ncnn's ``.param`` files, with the ``.bin`` beside them."""

    name = "ncnn"
    format = "ncnn"
    suffix = ".param"

    @classmethod
    def version(cls) -> str:
        """See `Runtime.version`."""
        _require()
        from importlib import metadata

        import ncnn  # noqa: F401  # later it is there at once

        return metadata.version("ncnn")

    @classmethod
    def load(cls, path: Path, *, threads: int) -> NcnnSession:
        """See `Runtime.load`."""
        _require()
        return NcnnSession(path, threads)

    @classmethod
    def describe(cls, path: Path) -> Interface:
        """See `Runtime.describe`; an image is assumed where the file does not say what it takes."""
        session = cls.load(path, threads=1)
        inputs = tuple(_input_spec(fields) for fields in _layers(path) if fields[0] == _INPUT)
        outputs = tuple(TensorSpec(name, ("axis 0",), "float32") for name in session.outputs)
        half = path.with_suffix(".bin").read_bytes()[:4] == _HALF_TAG
        return Interface(inputs, outputs, "fp16" if half else "fp32")

    @classmethod
    def operators(cls, path: Path) -> Mapping[str, int]:
        """See `Runtime.operators`."""
        return collections.Counter(kind for kind, *_ in _layers(path) if kind != _INPUT)


class NcnnSession:
    """One network, of which each run makes an extractor."""

    def __init__(self, path: Path, threads: int) -> None:
        import ncnn

        list(_layers(path))  # it is said of no other file that it is damaged
        self._ncnn, self._net = ncnn, ncnn.Net()
        for name, value in {**SETTINGS, "num_threads": threads}.items():
            setattr(self._net.opt, name, value)
        with silenced() as said:
            failed = self._net.load_param(str(path)) or self._net.load_model(
                str(path.with_suffix(".bin"))
            )
            reason = said.last_line().rstrip(".")
        if failed:
            raise ArtifactError(f"ncnn rejects {path}: {reason or 'it is damaged'}.")
        self._inputs = self._net.input_names()
        self.outputs: list[str] = self._net.output_names()
        if len(self._inputs) != 1:
            raise ArtifactError(f"{path} has {len(self._inputs)} inputs, not one image.")

    def run(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """See `Session.run`; the outputs are copies.

        Raises:
            UsageError: the input holds more than one image.
            ArtifactError: ncnn fails on it.
        """
        (image,) = inputs
        if len(image) != 1:
            raise UsageError(f"ncnn runs one input at a time, not {len(image)}.")
        array = np.ascontiguousarray(image[0], np.float32)  # it must outlive the extractor
        extractor = self._net.create_extractor()
        extractor.input(self._inputs[0], self._ncnn.Mat(array))
        results = []
        for name in self.outputs:
            status, output = extractor.extract(name)
            if status != 0:
                raise ArtifactError(f"ncnn fails at the output {name} ({status}).")
            results.append(np.array(output)[None])
        return results


def _layers(path: Path) -> list[list[str]]:
    """Return the fields of each layer: type, name, numbers of inputs and outputs, and the rest."""
    try:
        magic, counts, *lines = path.read_text(encoding="utf-8").splitlines()
        count = int(counts.split()[0])
        layers = [line.split() for line in lines if line.strip()]
    except (OSError, ValueError, IndexError) as error:
        raise _damaged(path) from error
    if magic.strip() != _MAGIC or len(layers) != count or any(len(one) < 4 for one in layers):
        raise _damaged(path)
    return layers


def _damaged(path: Path) -> ArtifactError:
    return ArtifactError(f"{path} is damaged or no ncnn file.")


def _input_spec(fields: list[str]) -> TensorSpec:
    """Read an input layer, ``Input in0 0 1 in0 0=W 1=H 2=C`` or one without sizes."""
    shape: list[int | str] = [1, *(f"axis {axis}" for axis in (1, 2, 3))]
    sizes = dict(field.split("=") for field in fields[5:] if field.count("=") == 1)
    for key, axis in _AXES.items():
        if sizes.get(key, "").isdigit() and int(sizes[key]) > 0:
            shape[axis] = int(sizes[key])
    return TensorSpec(fields[1], tuple(shape), "float32")


def _require() -> None:
    require("ncnn", extra="ncnn", purpose="Running ncnn files")
