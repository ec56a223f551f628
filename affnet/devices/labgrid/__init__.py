"""Boards that labgrid lends, one user at a time."""
