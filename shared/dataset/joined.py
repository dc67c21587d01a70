"""Things that belong together, as trees (union-find)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

Label = TypeVar("Label", bound=tuple[Any, ...])


class Joined(Generic[Label]):
    """Labels that belong together; each tree is known by its first label in order."""

    def __init__(self) -> None:
        self._parent: dict[Label, Label] = {}

    def __iter__(self) -> Iterator[Label]:
        """Return all labels, in order."""
        return iter(sorted(self._parent))

    def add(self, label: Label) -> None:
        """Take in a label, by itself so far."""
        self._parent.setdefault(label, label)

    def join(self, left: Label, right: Label) -> None:
        """Take in two labels that belong together."""
        self.add(left)
        self.add(right)
        first, second = sorted((self.root(left), self.root(right)))
        self._parent[second] = first

    def root(self, label: Label) -> Label:
        """Return the first label of the tree that ``label`` is in."""
        while self._parent[label] != label:
            self._parent[label] = self._parent[self._parent[label]]
            label = self._parent[label]
        return label
