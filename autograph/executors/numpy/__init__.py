"""The NumPy executor: straight-line Python over planned buffers, and a commit that is one call."""
