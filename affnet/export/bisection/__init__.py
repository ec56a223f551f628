"""Which operator of a file a device computes wrongly: cut files, run there beside a reference."""
