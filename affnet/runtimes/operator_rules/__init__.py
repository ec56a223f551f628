"""Which operators of a file would fall back on a phone, before there is one: published rules."""
