"""The Arm processors that can be emulated, and what their features are called."""

from __future__ import annotations

from collections.abc import Iterable

from affnet.errors import UnknownNameError

#: Names, each with the devices that have such a processor.
CPUS = {
    "cortex-a53": "Raspberry Pi 3; as Raspberry Pi 4 without float16 arithmetic",
    "cortex-a76": "Raspberry Pi 5, Jetson Orin, phones; with float16 arithmetic and dot products",
    "armv8.6": "Apple M2, Snapdragon X, phones without SVE; also with i8mm, bfloat16",
    "neoverse-v1": "AWS Graviton 3; also with SVE",
    "max": "all that QEMU knows, SME included; 10 to 20 times slower than the others",
}
DEFAULT_CPU = "cortex-a76"
#: What QEMU calls one where its name is another.
_MODELS = {"armv8.6": "max,sve=off,sme=off"}
#: What Linux calls a feature that kernels choose by, and what its users do.
_FEATURES = {
    "asimd": "NEON",
    "asimdhp": "float16 arithmetic",
    "asimddp": "dot product",
    "i8mm": "i8mm",
    "bf16": "bfloat16",
    "sve": "SVE",
    "sve2": "SVE2",
    "sme": "SME",
}


def check_cpu(name: str) -> None:
    """Raise `UnknownNameError` unless ``name`` is a processor that can be emulated."""
    if name not in CPUS:
        raise UnknownNameError("CPU model", name, CPUS)


def qemu_model(name: str) -> str:
    """Return what QEMU's option ``-cpu`` takes for a processor."""
    return _MODELS.get(name, name)


def features(flags: Iterable[str]) -> tuple[str, ...]:
    """Return the features among the flags of /proc/cpuinfo that a runtime's kernels differ by."""
    known = set(flags)
    return tuple(name for flag, name in _FEATURES.items() if flag in known)
