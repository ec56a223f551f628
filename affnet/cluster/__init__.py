"""Work on several machines, by a Dask scheduler and its workers."""
