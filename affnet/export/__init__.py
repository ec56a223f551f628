"""From a network to a verified artifact."""
