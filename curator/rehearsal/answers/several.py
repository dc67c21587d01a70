"""What is known of several pictures in one request: each pair names the picture it is about."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, zip_longest
from typing import Protocol

from curator.prompts.reply_fields import PICTURE
from curator.rehearsal.answers.answer_book import KnownImage
from curator.rehearsal.inbound import Inquiry
from shared.records import QAPair


class Answers(Protocol):
    """Where questions and answers about images come from."""

    async def about(self, inquiry: Inquiry) -> KnownImage:
        """Return what there is about the image of a request.

        Raises:
            CorruptImage: the image cannot be decoded.
        """


async def about_all(answers: Answers, inquiry: Inquiry) -> KnownImage:
    """Return what there is about the images of a request, a pair of each in turn.

    Raises:
        CorruptImage: an image cannot be decoded.
    """
    if len(inquiry.images) < 2:  # noqa: PLR2004 - one image, or none
        return await answers.about(inquiry)
    known = [await answers.about(replace(inquiry, images=(image,))) for image in inquiry.images]
    named = (
        [_of_picture(pair, number) for pair in each.pairs]
        for number, each in enumerate(known, start=1)
    )
    in_turn = chain.from_iterable(zip_longest(*named))
    return KnownImage(
        known[0].filename,
        tuple(pair for pair in in_turn if pair is not None),
        tuple(rival for each in known for rival in each.rivals),
    )


def _of_picture(pair: QAPair, number: int) -> QAPair:
    others = (entry for entry in pair.extra if entry[0] != PICTURE)
    return replace(pair, extra=((PICTURE, number), *others))
