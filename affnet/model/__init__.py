"""The networks: AFFNet with its variants and checkpoints, and the peers to compare with."""
