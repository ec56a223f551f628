"""A file to compare with PyTorch, and its outputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affnet.artifact import Arrays, Artifact, TensorSpec, image_spec
from affnet.errors import AffnetError, ArtifactError, first_line
from affnet.export.quantization import ANY, ARM
from affnet.layouts import as_input, from_output
from affnet.model.source import Source
from affnet.runtimes import Interface, Runtime, Session, get_runtime, runtime_for
from affnet.runtimes.foreign import described
from affnet.runtimes.onnx_exact import ExactSession, is_x86
from affnet.runtimes.onnx_rounded import RoundedSession

Outputs = list[NDArray[Any]]  # one array for each output


@dataclass(frozen=True)
class Subject:
    """A file to compare with PyTorch: by its manifest, or by its own account."""

    path: Path
    format: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    precision: str
    runtime: str | None = None  # to run it in; None: that of the format
    target: str = ANY  # processors that its 8-bit weights are for
    calibrated_on: str = ""  # what the ranges of its 8 bits come from, as the manifest has it

    @classmethod
    def of(cls, artifact: Artifact) -> Subject:
        """Return what an artifact's manifest says of it."""
        manifest = artifact.manifest
        return cls(
            artifact.path,
            manifest.format,
            manifest.inputs,
            manifest.outputs,
            manifest.precision,
            target=manifest.details.get("target", ANY),
            calibrated_on=manifest.details.get("calibration", ""),
        )

    def as_artifact(self) -> Artifact:
        """Return a file of another tool with a manifest of what it is compared as."""
        fixed = (dataclasses.replace(one, shape=one.static_shape()) for one in self.inputs)
        return described(self.path, Interface((*fixed,), self.outputs, self.precision))

    def computed_in(self, arithmetic: str) -> Subject:
        """Return what may err as on a unit of coarser arithmetic than the file's."""
        coarser = arithmetic == "fp16" and self.precision == "fp32"
        return dataclasses.replace(self, precision="fp16") if coarser else self

    @property
    def input(self) -> TensorSpec:
        """The first input: the only one of networks that take images."""
        return self.inputs[0]

    def network_inputs(self, source: Source) -> tuple[TensorSpec, ...]:
        """Return what ``source`` takes where the file takes this.

        Images are N x 3 x H x W in 0..1; another type of a file's inputs is not the network's.
        """
        return (image_spec(*self.input.image_size()),) if self.input.is_image else source.inputs

    @property
    def engine(self) -> type[Runtime]:
        """The runtime to run it in."""
        return get_runtime(self.runtime) if self.runtime else runtime_for(self.format)

    @property
    def computed_as(self) -> str:
        """The runtime, and whose arithmetic stands for that of the file's target."""
        return f"{self.engine.name}, computed as on Arm" if self._needs_exact else self.engine.name

    @property
    def _needs_exact(self) -> bool:
        """Whether kernels of this machine compute weights wrongly that are for Arm."""
        return self.target == ARM and self.engine.name == "onnxruntime" and is_x86()

    def load(self) -> Session:
        """Load it into its runtime, on one thread; what is for Arm, to be computed as there."""
        if self._needs_exact:
            return ExactSession(self.path, threads=1)
        return self.engine.load(self.path, threads=1)

    def sessions(self) -> list[Session]:
        """Load it into every runtime that it has to be right in, that of `load` first.

        A device with float16 arithmetic rounds an ONNX file's values; this machine's runtime may
        compute them in float32.
        """
        rounds = self.format == "onnx" and self.precision == "fp16"
        return [self.load(), *([RoundedSession(self.path, threads=1)] if rounds else [])]

    def run(self, session: Session, inputs: Sequence[Arrays]) -> list[Outputs]:
        """Return the outputs for each input, as the network gives them; images may be joined.

        Raises:
            ArtifactError: it does not run.
        """
        try:
            runs = run_inputs(session, inputs, self.inputs)
        except AffnetError:
            raise
        except Exception as error:  # each runtime has its own kinds
            raise ArtifactError(
                f"{self.engine.name} cannot run {self.path}: {first_line(error)}."
            ) from error
        return [[*map(from_output, outputs, self.outputs)] for outputs in runs]


def run_inputs(
    session: Session, inputs: Sequence[Arrays], specs: Sequence[TensorSpec]
) -> list[Outputs]:
    """Return the outputs for each of ``inputs``, arrays for ``specs``."""
    if not specs[0].is_image:  # the first axis need not be a batch
        return [session.run(*map(as_input, arrays, specs)) for arrays in inputs]
    joined = run_batches(session, np.concatenate([images for (images,) in inputs]), specs[0])
    return split_outputs(joined, inputs)


def split_outputs(joined: Outputs, inputs: Sequence[Arrays]) -> list[Outputs]:
    """Take outputs for joined images apart, into those for each of ``inputs``."""
    ends = np.cumsum([len(images) for (images,) in inputs])[:-1]
    pieces = [np.split(output, ends) for output in joined]
    return [list(outputs) for outputs in zip(*pieces, strict=True)]


def run_batches(
    session: Session, images: NDArray[np.float32], spec: TensorSpec
) -> list[NDArray[np.float32]]:
    """Return the outputs of a file that takes ``spec``, run in batches of its size.

    A file with a dynamic batch is also run on batches of two, so that both are proven.
    """
    feed = as_input(images, spec)
    outputs, start = [], 0
    while start < len(images):
        step = spec.static_shape()[0] if not spec.dynamic_batch else 2 if start % 3 else 1
        batch = feed[start : start + step]
        if not spec.dynamic_batch and len(batch) < step:  # the last one, repeated to fill it
            batch = np.concatenate((batch, feed[: step - len(batch)]))
        outputs.append(session.run(batch))
        start += step
    return [np.concatenate(parts)[: len(feed)] for parts in zip(*outputs, strict=True)]
