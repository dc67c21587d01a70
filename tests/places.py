"""Which files that go to others name a place of this machine."""

from __future__ import annotations

from pathlib import Path

OUR_OWN = {"run.json", "tensorboard"}
"""A run's record, by which later commands find its base, and its curves; neither is a model."""


def files_that_name(place: Path, folder: Path) -> list[str]:
    """Return the files below ``folder``, but for a run's own record, with ``place`` in them."""
    needle = str(place).encode()
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and OUR_OWN.isdisjoint(path.relative_to(folder).parts)
        and needle in path.read_bytes()
    ]
