"""A file's graph in Model Explorer, with the times of its operators and its Fourier plan."""
