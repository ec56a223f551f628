"""The sections of the report, in their order."""

from __future__ import annotations

from collections.abc import Callable

from affnet.bench.report.data import ReportData
from affnet.bench.report.distributions import distributions
from affnet.bench.report.history import history
from affnet.bench.report.mixers import mixers
from affnet.bench.report.operators import operators
from affnet.bench.report.results import quoted, results, validity
from affnet.bench.report.section import Section
from affnet.bench.report.tradeoffs import accuracy, size

#: Each makes a section of the data, or None where it has nothing to say and nobody would miss it.
SECTIONS: tuple[Callable[[ReportData], Section | None], ...] = (
    distributions,
    accuracy,
    size,
    mixers,
    history,
    operators,
    results,  # wide, and so behind what a phone shows well
    validity,
    quoted,
)
