"""An artifact for others: its model card, a repository that takes it, a signature."""
