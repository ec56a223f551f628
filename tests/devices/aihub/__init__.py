"""Qualcomm AI Hub, of which the tests have a double."""
