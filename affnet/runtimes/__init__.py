"""Artifact to session: what executes a converted network on this host."""
