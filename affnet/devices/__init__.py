"""Devices: where a measurement happens.

`base` has what every kind offers; a kind is a package or a module here and one line in `registry`.
`catalog` maps names to kinds and their settings.
"""
