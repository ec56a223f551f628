"""Measuring models in turns on one device."""
