"""ncnn on the CPU, in float32.

A file says neither how long the axes of its outputs are nor, unless affnet wrote it, those of its
input, and it has no batch axis.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import TensorSpec
from affnet.errors import ArtifactError, UsageError, require
from affnet.runtimes import Interface
from affnet.silence import silenced

#: What every network is loaded with; an app must set it too: float16 is on by default, even on x86.
SETTINGS = {
    "use_fp16_packed": False,
    "use_fp16_storage": False,
    "use_fp16_arithmetic": False,
}
MAGIC = "7767517"  # a file's first line
_HALF_TAG = (0x01306B47).to_bytes(4, "little")  # before weights of float16
_INPUT = "Input"
_SIZES = ("2", "11", "1", "0")  # the parameters of an input, the slowest axis first


class NcnnRuntime:
    """Runs ncnn's ``.param`` files, with the ``.bin`` beside them."""

    name = "ncnn"
    format = "ncnn"
    suffix = ".param"
    distribution = "ncnn"

    @classmethod
    def version(cls) -> str:
        """See `Runtime.version`."""
        _require()
        from importlib import metadata

        import ncnn  # noqa: F401  # later it is there at once

        return metadata.version(cls.distribution)

    @classmethod
    def load(cls, path: Path, *, threads: int) -> NcnnSession:
        """See `Runtime.load`."""
        _require()
        return NcnnSession(path, threads)

    @classmethod
    def describe(cls, path: Path) -> Interface:
        """See `Runtime.describe`; an image is assumed where the file does not say what it takes."""
        session = cls.load(path, threads=1)
        inputs = tuple(_input_spec(fields) for fields in layers_of(path) if fields[0] == _INPUT)
        outputs = tuple(TensorSpec(name, ("axis 0",), "float32") for name in session.outputs)
        half = path.with_suffix(".bin").read_bytes()[:4] == _HALF_TAG
        return Interface(inputs, outputs, "fp16" if half else "fp32")

    @classmethod
    def operators(cls, path: Path) -> Mapping[str, int]:
        """See `Runtime.operators`."""
        return collections.Counter(kind for kind, *_ in layers_of(path) if kind != _INPUT)


class NcnnSession:
    """One network, of which each run makes an extractor."""

    def __init__(self, path: Path, threads: int) -> None:
        import ncnn

        layers_of(path)  # raises where the file is damaged
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
        self.outputs = _in_order(self._net.output_names())
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
        extractor = self._extractor(array)
        return [np.array(_extracted(extractor, name))[None] for name in self.outputs]

    def sizes(self, array: NDArray[np.float32], names: Iterable[str]) -> dict[str, tuple[int, ...]]:
        """Return the sizes of values inside, the slowest axis first, for an input without batch.

        Raises:
            ArtifactError: ncnn fails on it.
        """
        extractor = self._extractor(array)
        extractor.set_light_mode(False)  # else what was used already is computed again
        return {name: np.array(_extracted(extractor, name)).shape for name in names}

    def _extractor(self, array: NDArray[np.float32]) -> Any:
        extractor = self._net.create_extractor()
        extractor.input(self._inputs[0], self._ncnn.Mat(array))
        return extractor


def _in_order(names: list[str]) -> list[str]:
    """Return names of outputs as the network has them: pnnx numbers them, ncnn finds them."""
    numbers = [re.fullmatch(r"out(\d+)", name) for name in names]
    if None in numbers:
        return names
    return sorted(names, key=lambda name: int(name.removeprefix("out")))


def _extracted(extractor: Any, name: str) -> Any:
    status, value = extractor.extract(name)
    if status != 0:
        raise ArtifactError(f"ncnn fails at {name} ({status}).")
    return value


def layers_of(path: Path) -> list[list[str]]:
    """Return the fields of each layer: type, name, numbers of inputs and outputs, and the rest.

    Raises:
        ArtifactError: the file is damaged, or none of ncnn's.
    """
    try:
        magic, counts, *lines = path.read_text(encoding="utf-8").splitlines()
        count = int(counts.split()[0])
        layers = [line.split() for line in lines if line.strip()]
    except (OSError, ValueError, IndexError) as error:
        raise _damaged(path) from error
    if magic.strip() != MAGIC or len(layers) != count or any(len(one) < 4 for one in layers):
        raise _damaged(path)
    return layers


def _damaged(path: Path) -> ArtifactError:
    return ArtifactError(f"{path} is damaged or no ncnn file.")


def _input_spec(fields: list[str]) -> TensorSpec:
    """Read an input layer, ``Input in0 0 1 in0 0=W 1=H 2=C`` or one without sizes."""
    given = dict(field.split("=") for field in fields[5:] if field.count("=") == 1)
    sizes = [int(given[key]) for key in _SIZES if given.get(key, "").isdigit()]
    if not sizes or 0 in sizes:
        return TensorSpec(fields[1], (1, "axis 1", "axis 2", "axis 3"), "float32")
    return TensorSpec(fields[1], (1, *sizes), "float32")


def _require() -> None:
    require("ncnn", extra="ncnn", purpose="Running ncnn files")
