"""Token mixers side by side over map sizes: the grid, its growth, tables and a chart."""
