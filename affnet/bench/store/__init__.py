"""The history of results in a database."""
