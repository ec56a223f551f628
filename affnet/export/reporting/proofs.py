"""What is said of a file's proof on another processor, for machines and for people."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from affnet.evidence import DeviceProof
from affnet.units import PERCENT


def proof_records(proofs: Sequence[DeviceProof]) -> list[dict[str, Any]]:
    """Return the machine-readable form."""
    return [dataclasses.asdict(proof) for proof in proofs]


def proof_fields(proofs: Sequence[DeviceProof]) -> dict[str, str]:
    """Return the same for people, name to value."""
    return {f"on {proof.device}": _text(proof) for proof in proofs}


def _text(proof: DeviceProof) -> str:
    parity = proof.parity
    verdict = "agrees with PyTorch" if parity.passed else "DISAGREES with PyTorch"
    parts = [
        f"{verdict} ({parity.max_rel_error:.1e} of the largest output, {parity.psnr_db:.1f} dB)",
        f"{proof.host_rel_error:.1e} from {proof.host}, "
        f"{PERCENT.text(proof.host_equal)} of the values equal to the last bit",
    ]
    if classes := proof.held_out:
        parts.append(
            f"{classes.agreeing} of {classes.images} held-out images get PyTorch's class, top-1 "
            f"{PERCENT.text(classes.top1)} (PyTorch {PERCENT.text(classes.top1_pytorch)})"
        )
    had = ", ".join(proof.features) or "unknown features"
    return "; ".join([*parts, f"{proof.runtime} on {proof.cpu} with {had}"])
