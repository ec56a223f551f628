"""The record of a measurement, how it is read, and which results are comparable."""
