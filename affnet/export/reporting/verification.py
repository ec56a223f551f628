"""What ``affnet verify`` found, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from affnet.artifact import Artifact
from affnet.evidence import DeviceProof
from affnet.export.bisection.record import Bisection
from affnet.export.reporting import artifact as report
from affnet.export.reporting import bisection
from affnet.export.reporting.proofs import proof_fields, proof_records
from affnet.export.verification.compare import HeldOutAgreement
from affnet.export.verification.subject import Subject
from affnet.parity import Parity
from affnet.table import Table


@dataclass(frozen=True)
class Verification:
    """A file beside PyTorch: here, on held-out images and on devices."""

    subject: Subject
    artifact: Artifact | None  # None for a file without a manifest
    parity: Parity
    held_out: HeldOutAgreement | None  # None where it was not asked for
    proofs: Sequence[DeviceProof]
    searches: Sequence[Bisection] | None  # None where they were not asked for

    @property
    def passed(self) -> bool:
        """Whether all agrees with PyTorch, and no operator was found wrong."""
        agreed = self.held_out is None or self.held_out.agreeing == self.held_out.images
        found = [self.parity, *(proof.parity for proof in self.proofs)]
        clean = all(one.clean for one in self.searches or ())
        return agreed and all(one.passed for one in found) and clean

    def record(self) -> dict[str, Any]:
        """Return the machine-readable form."""
        if self.artifact:
            content = report.parity_record(self.artifact, self.parity, self.subject)
        else:
            content = report.verdict_record(self.subject, self.parity)
        content["passed"] = self.passed
        if self.held_out:
            content |= {"held_out": report.held_out_record(self.held_out)}
        if self.proofs:
            content |= {"proofs": proof_records(self.proofs)}
        if self.searches is not None:
            content |= {"bisections": bisection.records(self.searches)}
        return content

    def fields(self) -> dict[str, str]:
        """Return the same for people, name to value; what was searched has `tables` besides."""
        if self.artifact:
            fields = report.parity_fields(self.artifact, self.parity, self.subject)
        else:
            fields = report.verdict_fields(self.subject, self.parity)
        if self.held_out:
            fields |= report.held_out_fields(self.held_out)
        return fields | proof_fields(self.proofs) | bisection.fields(self.searches or ())

    def tables(self) -> list[Table]:
        """Return a table of the wrong operators of each search that found some."""
        return bisection.tables(self.searches or ())
