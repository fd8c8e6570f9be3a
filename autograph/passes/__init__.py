"""Graph to graph: each pass keeps the value wherever the plain graph is finite."""
