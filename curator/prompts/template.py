"""Texts with placeholders: checked once, rendered for each listing; pure.

``{questions}`` stands for what a prompt says, ``{listing}`` for all that a listing says, one field
a line, and ``{listing.color}`` for one field of it; ``{listing.color|not stated}`` says what stands
there where the listing has no such field. A brace is written twice. A line that holds nothing but
placeholders, all of them empty, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from shared.program.command_line.nearest import nearest
from shared.value_class import value_class

LISTING: Final = "listing"
FIELD_CHARACTERS: Final = 400
"""Longest text of one field."""
LISTING_CHARACTERS: Final = 2_000
"""Longest text of a whole listing."""
_PART: Final = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}\n]*)\}|(?P<stray>[{}])")
_NEAREST: Final = 3


@value_class
class Placeholder:
    """What stands between two braces; ``field`` is the listing's, in lower case."""

    name: str
    field: str = ""
    fallback: str = ""

    @property
    def is_of_listing(self) -> bool:
        """Return whether a listing fills it."""
        return self.name == LISTING


@dataclass(frozen=True)
class Template:
    """A text with placeholders."""

    text: str

    @cached_property
    def _lines(self) -> Sequence[tuple[bool, Sequence[str | Placeholder]]]:
        """The parts of each line, and whether it holds placeholders alone."""
        lines = [tuple(_parts(line)) for line in self.text.split("\n")]
        return [(_is_bare(parts), parts) for parts in lines]

    @cached_property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """The placeholders in it, in order."""
        return tuple(
            part for _, parts in self._lines for part in parts if isinstance(part, Placeholder)
        )

    @cached_property
    def _of_listing(self) -> Sequence[Placeholder]:
        return [each for each in self.placeholders if each.is_of_listing]

    @property
    def heeds_listing(self) -> bool:
        """Return whether it differs from listing to listing."""
        return bool(self._of_listing)

    def names(self, name: str) -> bool:
        """Return whether it has a placeholder of that name."""
        return any(each.name == name for each in self.placeholders)

    def check(self, known: Collection[str]) -> None:
        """Check that it has no other placeholders than those that are ``known``.

        Raises:
            ValueError: it has, or a stray brace.
        """
        for line in self.text.split("\n"):
            for match in _PART.finditer(line):
                if match["stray"]:
                    raise ValueError(f"a brace by itself in {line.strip()[:60]!r}; write it twice")
        for each in self.placeholders:
            if each.name not in known:
                near = nearest(each.name, known, most=_NEAREST)
                raise ValueError(_unknown(each.name, near or sorted(known)))

    def require_fields(self, fields: Collection[str]) -> None:
        """Check that listings have each field that it names without a fallback.

        Raises:
            ValueError: ``fields``, as a catalogue calls them, lack one.
        """
        known = {name.strip().lower() for name in fields}
        for each in self.placeholders:
            if each.field and not each.fallback and each.field not in known:
                near = nearest(each.field, known, most=_NEAREST, likeness=0.4)
                names = [f"{LISTING}.{name}" for name in near or sorted(known)]
                raise ValueError(
                    f"{_unknown(f'{LISTING}.{each.field}', names)}; where few listings have it, "
                    f"say what stands for it elsewhere: {{{LISTING}.{each.field}|not stated}}"
                )

    def render(
        self,
        values: Mapping[str, str],
        listing: Mapping[str, str],
        listing_characters: int = LISTING_CHARACTERS,
    ) -> str:
        """Return the text with ``values`` and what the ``listing`` says in its places.

        All that a listing says is cut to ``listing_characters``.
        """
        lines = []
        for is_bare, parts in self._lines:
            filled = (
                part
                if isinstance(part, str)
                else _value(part, values, listing)[:listing_characters]
                for part in parts
            )
            line = "".join(filled)
            if not is_bare or line.strip():
                lines.append(line)
        return "\n".join(lines)

    def says_anything_of(self, listing: Mapping[str, str]) -> bool:
        """Return whether the ``listing`` fills one of its places, or has none to fill."""
        places = self._of_listing
        return not places or any(_value(each, {}, listing) for each in places)

    @property
    def characters(self) -> int:
        """How long it is by itself, without what stands in its places."""
        texts = [part for _, parts in self._lines for part in parts if isinstance(part, str)]
        return sum(map(len, texts)) + len(self._lines) - 1

    @property
    def longest_filling(self) -> int:
        """The characters that a listing can add at most."""
        return sum(
            FIELD_CHARACTERS if each.field else LISTING_CHARACTERS
            for each in self.placeholders
            if each.is_of_listing
        )


def listing_text(listing: Mapping[str, str]) -> str:
    """Return all that a listing says, one field a line."""
    return "\n".join(
        f"{name}: {value[:FIELD_CHARACTERS]}" for name, value in listing.items() if value
    )


def _parts(line: str) -> Iterator[str | Placeholder]:
    at = 0
    for match in _PART.finditer(line):
        if match.start() > at:
            yield line[at : match.start()]
        yield match[0][0] if match["name"] is None else _placeholder(match["name"])
        at = match.end()
    if at < len(line):
        yield line[at:]


def _placeholder(name: str) -> Placeholder:
    name, _, fallback = name.partition("|")
    head, _, field = name.strip().partition(".")
    if head != LISTING:
        return Placeholder(name.strip())
    return Placeholder(LISTING, field.strip().lower(), fallback.strip())


def _is_bare(parts: Sequence[str | Placeholder]) -> bool:
    return bool(parts) and all(isinstance(part, Placeholder) or not part.strip() for part in parts)


def _value(part: Placeholder, values: Mapping[str, str], listing: Mapping[str, str]) -> str:
    if not part.is_of_listing:
        return values[part.name]
    if not part.field:
        return listing_text(listing)
    for name, value in listing.items():
        if value and name.strip().lower() == part.field:
            return value[:FIELD_CHARACTERS]
    return part.fallback


def _unknown(name: str, near: Sequence[str]) -> str:
    listed = ", ".join(f"{{{each}}}" for each in near)
    return f"unknown placeholder {{{name}}}; there {'are' if len(near) > 1 else 'is'} {listed}"
