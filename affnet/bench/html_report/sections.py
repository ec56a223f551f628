"""The sections of the report, in their order."""

from __future__ import annotations

from collections.abc import Callable

from affnet.bench.html_report.data import ReportData
from affnet.bench.html_report.distributions import distributions
from affnet.bench.html_report.history import history
from affnet.bench.html_report.mixers import mixers
from affnet.bench.html_report.operators import operators
from affnet.bench.html_report.results import quoted, results, validity
from affnet.bench.html_report.section import Section
from affnet.bench.html_report.tradeoffs import accuracy, size

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
