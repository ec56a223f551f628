"""Phones that Qualcomm AI Hub hosts."""
