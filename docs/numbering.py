"""The order of the tutorials: by the number that their titles begin with."""

from __future__ import annotations

from sphinx_gallery.sorting import ExampleTitleSortKey


class TitleNumber(ExampleTitleSortKey):
    """Sorts "10 · …" after "9 · …"."""

    def __call__(self, filename: str) -> int:
        """The number of a tutorial."""
        return int(super().__call__(filename).partition(" ")[0])
