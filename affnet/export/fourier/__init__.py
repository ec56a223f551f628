"""Replacing Fourier transforms exactly: plans, their cost, and the planner."""
