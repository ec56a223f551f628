"""What of the documentation is made from the code: ``python -m documentation`` writes it."""
