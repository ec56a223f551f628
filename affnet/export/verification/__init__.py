"""Running a file beside the PyTorch network that it came from."""
