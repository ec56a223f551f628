"""Measurement: latency, memory and size of artifacts, and the tables made of them."""
