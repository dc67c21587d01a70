"""The fields of a reply that have a meaning of their own, and how many pictures a request has."""

from __future__ import annotations

from typing import Final

STYLE: Final = "style"
"""The field of a reply, and the column, that says of which style a pair is."""
PICTURE: Final = "picture"
"""The field of a reply that says which of several pictures a pair is about, the first being 1."""
MOST_VIEWS: Final = 16
"""Pictures of one listing in a request: of at most 512 px, they are some two megabytes together."""
DIFFICULTY: Final = "difficulty"
DIFFICULTIES: Final = ("easy", "medium", "hard")
