"""What calibrates the 8 bits of a network of the user's own, and what its file is compared on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affnet.artifact import Arrays
from affnet.errors import UsageError
from affnet.export.quantization.calibration import BUNDLED
from affnet.export.verification.inputs import VerificationInput
from affnet.export.verification.user_inputs import read_inputs
from affnet.model.source import Source

#: Fewer deserve a warning; a file is compared on so many.
FEW = 20


@dataclass(frozen=True)
class Samples:
    """What a network of the user's own takes, to calibrate with and to compare on."""

    inputs: tuple[VerificationInput, ...]
    source: str

    @property
    def arrays(self) -> tuple[Arrays, ...]:
        """What the network takes, one sample after the other."""
        return tuple(one.arrays for one in self.inputs)

    @property
    def description(self) -> str:
        """How many they are, and of what: ``20 samples of recordings``."""
        return f"{len(self.inputs)} sample{'s' * (len(self.inputs) > 1)} of {self.source}"

    def notes(self) -> tuple[str, ...]:
        """Return what the user should know of them, a sentence each."""
        if len(self.inputs) >= FEW:
            return ()
        return (
            f"{self.description}: with fewer than {FEW} the ranges of activations are a guess.",
        )


def load_samples(network: Source, data: str | None, samples: int) -> Samples:
    """Load at most ``samples`` of what a network of the user's own takes.

    Args:
        network: what they are for.
        data: a folder of arrays or pictures, or a file of arrays, as ``--verify-on`` takes them.
        samples: how many, drawn at random, but always the same ones.

    Raises:
        UsageError: no data are named, too few samples, or nothing there fits the network.
    """
    if samples < 1:
        raise UsageError(f"--calibration-samples must be at least 1, not {samples}.")
    if data is None or data == BUNDLED:
        raise UsageError(
            f"8 bits need samples of what {network.name} takes, for the ranges of its activations",
            "give a folder of .npy files or pictures, or an .npz file, with --calibration-data.",
        )
    found = read_inputs(Path(data), network.inputs, option="--calibration-data")
    chosen = np.random.default_rng(0).permutation(len(found))[:samples]
    return Samples(tuple(found[place] for place in sorted(chosen)), Path(data).name)
