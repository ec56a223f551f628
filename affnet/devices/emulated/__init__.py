"""Arm processors that this machine emulates, to prove files on, never to time them."""
