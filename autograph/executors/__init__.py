"""Machines that run programs. NumPy is the reference; every other is tested against it."""
