"""The prompts of a campaign: one, or several by share, of which each image always gets the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from curator.catalog import Catalog, fields_of
from curator.prompts.prompt import Prompt, with_numbers
from curator.prompts.prompt_file import default_prompt, prompt_from, read_prompt_file
from curator.prompts.reply_fields import PICTURE
from curator.prompts.shares import chosen, draw
from shared.endpoints.request import Measure
from shared.errors import InputError
from shared.records import Listing
from shared.value_class import value_class

DEFAULT_NAME: Final = "default"
_TOLERANCE: Final = 1e-3


@value_class
class PromptPart:
    """A prompt, what its file is called, and its share of the images."""

    name: str
    share: float
    prompt: Prompt


@dataclass(frozen=True)
class Prompts:
    """Prompts that share out the images of a campaign; all ask for as many questions."""

    parts: tuple[PromptPart, ...]

    @classmethod
    def alone(cls, prompt: Prompt, name: str = DEFAULT_NAME) -> Prompts:
        """Return the one prompt of all images."""
        return cls((PromptPart(name, 1.0, prompt),))

    def of(self, image: str, listing_id: str) -> Prompt:
        """Return the prompt of the image with that path, always the same.

        Where requests have several pictures of a listing, all of that listing have the same.
        """
        if len(self.parts) == 1:
            return self.parts[0].prompt
        return chosen(self._shares, draw("prompt", image if self.views == 1 else listing_id))

    def of_listing(self, listing: Listing) -> Prompt:
        """Return the prompt of a listing's image."""
        return self.of(listing.image.path, listing.listing_id)

    @cached_property
    def _shares(self) -> Sequence[tuple[Prompt, float]]:
        # By version, so that the order in which they are given changes nothing.
        parts = sorted(self.parts, key=lambda part: part.prompt.version)
        return [(part.prompt, part.share) for part in parts]

    @cached_property
    def version(self) -> str:
        """A name for these prompts and their shares: of one alone, its own."""
        if len(self.parts) == 1:
            return self.parts[0].prompt.version
        content = json.dumps([(prompt.version, share) for prompt, share in self._shares])
        return f"2-{hashlib.sha256(content.encode()).hexdigest()[:8]}"

    @property
    def questions(self) -> int:
        """How many are asked for about each image."""
        return self.parts[0].prompt.questions

    @property
    def views(self) -> int:
        """How many pictures of a listing stand in one request at most."""
        return self.parts[0].prompt.views

    @property
    def names(self) -> list[str]:
        """What their files are called."""
        return [part.name for part in self.parts]

    def require_fields(self, catalog: Catalog) -> None:
        """Check that a catalogue's listings have the fields that the prompts name.

        Raises:
            InputError: none of the first listings has one; or the catalogue cannot be read.
        """
        named = [part for part in self.parts if part.prompt.needs_fields]
        fields = fields_of(catalog) if named else ()
        for part in named:
            try:
                part.prompt.require_fields(fields)
            except ValueError as error:
                raise InputError(f"--prompt {part.name}: {error}") from None

    def largest_measure(self, longest_px: int) -> Measure:
        """Return the measure of the largest request about an image of ``longest_px``."""
        measures = [part.prompt.largest_measure(longest_px) for part in self.parts]
        return max(measures, key=lambda measure: measure.characters)

    def with_answers_of(self, answer_words: int | None) -> Prompts:
        """Return the same with another longest answer, in words, where one is given."""
        if answer_words is None:
            return self
        return Prompts(
            tuple(
                replace(part, prompt=replace(part.prompt, answer_words=answer_words))
                for part in self.parts
            )
        )

    def with_views(self, views: int) -> Prompts:
        """Return the same for requests with up to so many pictures of a listing.

        Raises:
            InputError: these prompts cannot be asked so.
        """
        if views == 1:
            return self
        for part in self.parts:
            if PICTURE in part.prompt.file.fields:
                raise InputError(
                    f"--views: prompt {part.name} has a field {PICTURE} of its own; call it "
                    "otherwise"
                )
        return Prompts(
            tuple(replace(part, prompt=replace(part.prompt, views=views)) for part in self.parts)
        )

    def plain(self) -> list[dict[str, Any]]:
        """Return all of them as plain values, for ledgers and manifests."""
        return [
            {
                "version": part.prompt.version,
                "name": part.name,
                "share": part.share,
                **part.prompt.plain(),
            }
            for part in self.parts
        ]


def read_prompts(
    files: Sequence[tuple[Path, float | None]],
    questions: int | None = None,
    answer_words: int | None = None,
) -> Prompts:
    """Return the prompts of ``files``, each with its share where one is given; or the default one.

    ``questions`` and ``answer_words`` come before those of the files.

    Raises:
        InputError: a file cannot be used, the shares do not add up, or the prompts ask for
            different numbers of questions.
    """
    if not files:
        return Prompts.alone(with_numbers(default_prompt(), questions, answer_words))
    shares = _shares(files)
    parts = [
        PromptPart(path.stem, share, with_numbers(read_prompt_file(path), questions, answer_words))
        for (path, _), share in zip(files, shares, strict=True)
    ]
    counts = sorted({part.prompt.questions for part in parts})
    if len(counts) > 1:
        listed = " and ".join(map(str, counts))
        raise InputError(
            f"--prompt: they ask for {listed} questions; say with --questions how many"
        )
    versions = [part.prompt.version for part in parts]
    if len(set(versions)) < len(versions):
        raise InputError("--prompt: two of them are the same; give each once")
    return Prompts(tuple(parts))


def _shares(files: Sequence[tuple[Path, float | None]]) -> list[float]:
    given = [share for _, share in files if share is not None]
    if not given:
        return [1 / len(files)] * len(files)
    if len(given) < len(files):
        raise InputError("--prompt: give all of them a share, as in --prompt a.toml=0.7, or none")
    listed = " + ".join(f"{share:g}" for share in given)
    if abs(sum(given) - 1) > _TOLERANCE or min(given) <= 0:
        raise InputError(f"--prompt: the shares {listed} add up to {sum(given):g}, not to 1")
    return given


def prompts_from(parts: Sequence[Mapping[str, Any]], source: str) -> Prompts:
    """Return the prompts that ``Prompts.plain`` made ``parts`` of.

    Raises:
        InputError: they are of a release that knew more.
    """
    return Prompts(tuple(_part(dict(part), source) for part in parts))


def _part(content: dict[str, Any], source: str) -> PromptPart:
    del content["version"]
    name, share = content.pop("name"), content.pop("share")
    views = content.pop("views", 1)
    prompt = with_numbers(prompt_from(content, source))
    return PromptPart(name, share, replace(prompt, views=views))
