"""Searching plans of transforms and precisions by measurement."""
