"""Boards, through ssh."""
