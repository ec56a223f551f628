"""Latency budgets: the file, the sequential test, attribution and report."""
