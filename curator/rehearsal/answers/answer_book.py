"""Finds the known questions and answers about an image by its content."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from curator.rehearsal.answers.known_images import KnownImages, read_known_images
from curator.rehearsal.answers.miniatures import BLOCK, LENGTH, Miniatures, coarse, miniature_of
from curator.rehearsal.inbound import Inquiry
from shared.program.reporting.event_log import EventLog
from shared.records import QAPair
from shared.records.grouping import by_image
from shared.value_class import value_class

FARTHEST_RMS: Final = 8.0
"""Grey levels between two miniatures beyond which they show different images."""
TIE_RMS: Final = 1.0
"""Grey levels by which another image may be farther than the nearest one and still be meant."""
_FIRST_LOOK: Final = 16
_ROUNDING_RMS: Final = 0.01
_EXAMPLES: Final = 3

log = EventLog(__name__)


@value_class
class KnownImage:
    """The known image that was meant, its pairs, and other images that it may as well have been."""

    filename: str
    pairs: tuple[QAPair, ...]
    rivals: tuple[str, ...] = ()


UNKNOWN_IMAGE: Final = KnownImage(filename="", pairs=())


class AnswerBook:
    """Known questions and answers, looked up by the bytes of an image or what they look like."""

    def __init__(self, images: KnownImages, pairs: Mapping[str, Sequence[QAPair]]) -> None:
        """Take images and, for each of their file names, the pairs about them."""
        self._images = images
        self._pairs = {name: tuple(pairs[name]) for name in images.filenames}
        self._by_digest: dict[bytes, list[int]] = {}
        for row, digest in enumerate(images.digests):
            self._by_digest.setdefault(digest, []).append(row)
        self._coarse = coarse(images.miniatures)
        self._coarse_squares = np.einsum("ij,ij->i", self._coarse, self._coarse)

    def __len__(self) -> int:
        return len(self._images.filenames)

    @property
    def pair_count(self) -> int:
        """How many questions with answers there are."""
        return sum(len(pairs) for pairs in self._pairs.values())

    def indistinguishable(self) -> list[tuple[str, ...]]:
        """Return groups of file names whose images look exactly the same, miniatures compared."""
        groups: dict[bytes, list[str]] = {}
        for name, miniature in zip(self._images.filenames, self._images.miniatures, strict=True):
            groups.setdefault(miniature.tobytes(), []).append(name)
        return [tuple(group) for group in groups.values() if len(group) > 1]

    async def about(self, inquiry: Inquiry) -> KnownImage:
        """Return what is known about the image of a request; nothing where there is none.

        Raises:
            CorruptImage: the image cannot be decoded.
        """
        if not inquiry.images:
            return UNKNOWN_IMAGE
        image = inquiry.images[0]
        resembled = self.same_file(image)
        if resembled is None:
            resembled = await asyncio.to_thread(self.lookalike, image)
        if resembled is None:
            return UNKNOWN_IMAGE
        if resembled.rivals:
            log.info(
                "rehearsal_ambiguous_image",
                taken_for=resembled.filename,
                as_well=", ".join(resembled.rivals),
            )
        return resembled

    def same_file(self, content: bytes) -> KnownImage | None:
        """Return what is known about exactly these bytes; takes microseconds."""
        return self._known_image(self._by_digest.get(hashlib.sha256(content).digest(), ()))

    def lookalike(self, content: bytes) -> KnownImage | None:
        """Return what is known about the image that looks like this one; takes milliseconds.

        Raises:
            CorruptImage: the image cannot be decoded.
        """
        return self._known_image(self._nearest(miniature_of(content)))

    def _known_image(self, rows: Sequence[int]) -> KnownImage | None:
        if not rows:
            return None
        filename, *rivals = (self._images.filenames[row] for row in rows)
        return KnownImage(filename, self._pairs[filename], tuple(rivals))

    def _nearest(self, miniature: NDArray[np.uint8]) -> list[int]:
        """Return the rows within reach, nearest first, none farther than a tie from the first.

        A distance between averages of blocks is never larger than that between the miniatures, so
        rows whose averages are too far need no closer look, and none is missed.
        """
        bounds = self._coarse_distances(miniature)
        first = np.argsort(bounds)[:_FIRST_LOOK]
        nearest = float(_rms(self._images.miniatures[first], miniature).min())
        rows = np.flatnonzero(bounds <= min(nearest, FARTHEST_RMS) + TIE_RMS)
        distances = _rms(self._images.miniatures[rows], miniature)
        order = np.argsort(distances, kind="stable")
        rows, distances = rows[order], distances[order]
        if not len(rows) or distances[0] > FARTHEST_RMS:
            return []
        return [int(row) for row in rows[distances <= distances[0] + TIE_RMS]]

    def _coarse_distances(self, miniature: NDArray[np.uint8]) -> NDArray[np.float64]:
        wanted = coarse(miniature.reshape(1, LENGTH))[0]
        squares = self._coarse_squares - 2.0 * (self._coarse @ wanted) + wanted @ wanted
        # Rounding must neither leave a negative number nor make a bound larger than the truth.
        bounds: NDArray[np.float64] = np.sqrt(np.maximum(squares, 0.0) * (BLOCK**2 / LENGTH))
        return bounds - _ROUNDING_RMS


def open_answer_book(folder: Path, pairs: Iterable[QAPair], cache: Path) -> AnswerBook:
    """Index the images below ``folder`` that ``pairs`` name; miniatures are kept in ``cache``.

    Raises:
        InputError: no such folder, or none of the images can be read.
    """
    answers = by_image(pairs)
    book = AnswerBook(read_known_images(folder, sorted(answers), cache), answers)
    groups = book.indistinguishable()
    if groups:
        log.warning(
            "rehearsal_images_look_the_same",
            groups=len(groups),
            images=sum(len(group) for group in groups),
            examples="; ".join(", ".join(group) for group in groups[:_EXAMPLES]),
        )
    return book


def _rms(miniatures: Miniatures, wanted: NDArray[np.uint8]) -> NDArray[np.float64]:
    differences = miniatures.astype(np.float64) - wanted
    rms: NDArray[np.float64] = np.sqrt(np.mean(np.square(differences), axis=1))
    return rms
