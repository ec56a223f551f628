"""DFT plans: exact forms of the transform for maps of one fixed size."""
