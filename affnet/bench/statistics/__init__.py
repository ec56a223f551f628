"""Summaries, intervals and autocorrelation of latency samples."""
