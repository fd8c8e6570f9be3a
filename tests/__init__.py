"""A package, so that what other distributions install under the name `tests` is not taken for it."""
