"""Which of several adapters answers which question: the one that has the name of its domain.

The domain is what the data says in a column ``domain``; where it says nothing, the first folder of
the image's file name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from shared.errors import InputError
from shared.records import QAPair


@dataclass(frozen=True, slots=True)
class AdapterChoice:
    """What ``--adapter`` asks for: one adapter for everything, some by name, or none at all."""

    single: Path | None
    named: Mapping[str, Path]

    @property
    def folders(self) -> list[Path]:
        """All folders, with a name or without."""
        return [*self.named.values(), *([] if self.single is None else [self.single])]


def parse_adapters(words: Sequence[str]) -> AdapterChoice:
    """Read the values of ``--adapter``: one ``DIR``, or any number of ``NAME=DIR``.

    Raises:
        InputError: several without a name, or one name twice.
    """
    # A folder may have an equals sign in its name.
    if len(words) == 1 and (Path(words[0]).exists() or "=" not in words[0]):
        return AdapterChoice(Path(words[0]), {})
    named: dict[str, Path] = {}
    for word in words:
        name, equals, folder = word.partition("=")
        # peft separates the names of modules with dots.
        if not equals or not name or not folder or "/" in name or "." in name:
            raise InputError(
                f"--adapter {word}: give several as NAME=DIR, NAME without dots and slashes"
            )
        if name in named:
            raise InputError(f"--adapter {name}: is there twice; give each name once")
        named[name] = Path(folder)
    return AdapterChoice(None, named)


def assign_domains(pairs: Sequence[QAPair], adapters: Mapping[str, Path]) -> list[QAPair]:
    """Return the pairs with the domain, and so the adapter, of each.

    Raises:
        InputError: a pair has no domain or one without an adapter, or an adapter has no pair.
    """
    assigned = [replace(pair, domain=pair.domain or _first_folder(pair.filename)) for pair in pairs]
    counts = Counter(pair.domain for pair in assigned)
    names = ", ".join(adapters)
    for domain, count in counts.items():
        if not domain:
            raise InputError(
                f"{count} questions have no domain, so that none of the adapters ({names}) answers "
                "them; give it in a column `domain`, or as the first folder of the file name"
            )
        if domain not in adapters:
            raise InputError(
                f"{count} questions are of the domain {domain!r}, which has no adapter (there are "
                f"{names}); give --adapter {domain}=DIR"
            )
    for name in adapters:
        if name not in counts:
            raise InputError(
                f"--adapter {name}: no question is of that domain (there are "
                f"{', '.join(sorted(counts))}); leave it out"
            )
    return assigned


def _first_folder(filename: str) -> str:
    parts = PurePosixPath(filename).parts
    return parts[0] if len(parts) > 1 else ""
