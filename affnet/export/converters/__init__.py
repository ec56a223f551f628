"""One file per artifact format, behind one protocol."""
