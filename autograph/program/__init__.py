"""The scheduled form: one tick of a function with every size known."""
