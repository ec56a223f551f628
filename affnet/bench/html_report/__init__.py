"""The HTML report: one page that holds everything it shows, and asks no network for anything."""

from __future__ import annotations

from affnet.bench.html_report.data import ReportData
from affnet.bench.html_report.page import check_installed, write_report

__all__ = ["ReportData", "check_installed", "write_report"]
