"""Artifacts and plans as tables."""
