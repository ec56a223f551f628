"""How well a network or an exported file does on labelled images."""
