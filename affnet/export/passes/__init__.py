"""Changes to a network before it is converted."""
