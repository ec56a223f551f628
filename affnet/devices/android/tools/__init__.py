"""The benchmark tools that run on a phone."""
