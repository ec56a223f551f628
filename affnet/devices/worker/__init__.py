"""The process that loads a model and measures it, and its channel."""
