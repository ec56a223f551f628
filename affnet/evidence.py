"""What was found out about an artifact by running it, as its manifest keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from affnet.parity import Parity


@dataclass(frozen=True)
class MeasuredAccuracy:
    """What an evaluation of this very file found, on one data set."""

    dataset: str
    fingerprint: str  # of the data set's classes, file names and sizes
    images: int
    top1: float  # 0..1
    top1_interval: tuple[float, float]  # of 95 %
    top5: float | None  # None where five classes or fewer make it meaningless
    runtime: str  # with its version


@dataclass(frozen=True)
class HeldOutClasses:
    """Classes that a device gives a sample of a bundled network's held-out images."""

    images: int
    agreeing: int  # that get PyTorch's class
    agreeing_host: int  # that get the class that the machine beside it gives
    top1: float  # 0..1
    top1_pytorch: float


@dataclass(frozen=True)
class DeviceProof:
    """What this very file gave on another processor than that of its export."""

    device: str  # such as arm64:cortex-a53
    cpu: str
    architecture: str
    features: tuple[str, ...]  # that a runtime's kernels differ by, such as float16 arithmetic
    runtime: str  # with its version
    parity: Parity  # with PyTorch
    host: str  # what else it was compared with
    host_rel_error: float  # largest difference from that over its largest output
    host_equal: float  # share of the values that are equal to the last bit, 0..1
    held_out: HeldOutClasses | None = None
