"""Arrays under the graph: NumPy as the namespace `xp`, special functions, random bits."""
