"""Web runtimes in a browser."""
