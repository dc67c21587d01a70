"""What of a catalogue cannot be used: counted by reason, each with its first example."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from shared.records import as_unicode


class Reason(StrEnum):
    """Why a row, a file or an image of a catalogue is left out."""

    WITHOUT_IMAGE = "without image"
    UNKNOWN_IMAGE = "image id not in images.csv"
    OUTSIDE = "outside the images folder"
    URL = "given as a URL whose file is not in the images folder"
    TAKEN_URL = "given as a URL whose file another URL's picture has"
    AS_TEXT = "given as data within a text, which is not read"
    MISSING = "not in the images folder"
    LONG_ROW = "row longer than the header"
    HIDDEN = "hidden, or a program's copy"
    NOT_A_PICTURE = "not a picture"
    TABLE = "a table, read where it is itself the catalogue"
    UNREADABLE_FORMAT = "a format that is not read here"
    BROKEN_LINK = "a link that leads nowhere"
    NOT_UNICODE = "a name that is not Unicode"


_WAYS_OUT: Final = {
    Reason.WITHOUT_IMAGE: "name the images in a column `filename`",
    Reason.UNKNOWN_IMAGE: "complete the download, images/metadata/images.csv.gz in particular",
    Reason.OUTSIDE: "give --images DIR, or paths that start from there",
    Reason.URL: (
        "bring the files with `curator fetch --catalog CATALOGUE --out DIR`, and give --images DIR"
    ),
    Reason.TAKEN_URL: "bring the files with `curator fetch`, which tells such URLs apart",
    Reason.AS_TEXT: "write the pictures as files, or as bytes in Parquet",
    Reason.MISSING: "give --images DIR, the folder that the names start from",
    Reason.LONG_ROW: "quote cells that hold the separator",
    Reason.HIDDEN: "give a folder of images that are not hidden",
    Reason.NOT_A_PICTURE: "give a folder of images, or a table that names them",
    Reason.TABLE: "give it with --catalog, and the folder of its pictures with --images",
    Reason.UNREADABLE_FORMAT: "convert them to JPEG",
    Reason.BROKEN_LINK: "put the files where the links lead",
    Reason.NOT_UNICODE: "rename them, for instance with `convmv -f latin1 -t utf8`",
}


MAY_APPEAR: Final = frozenset({Reason.MISSING, Reason.URL, Reason.BROKEN_LINK})
"""What may be there the next time although the catalogue is as it was."""


@dataclass(slots=True)
class Skipped:
    """Counts by reason, and the first example of each."""

    counts: Counter[Reason] = field(default_factory=Counter)
    first: dict[Reason, str] = field(default_factory=dict)

    def add(self, reason: Reason, example: str) -> None:
        """Count one more."""
        self.counts[reason] += 1
        self.first.setdefault(reason, as_unicode(example))

    def told(self) -> list[tuple[str, int, str]]:
        """Return each reason with its count and its first example, most frequent first."""
        return [
            (reason.value, count, _short(self.first[reason]))
            for reason, count in self.counts.most_common()
        ]

    def __str__(self) -> str:
        """Return all of it in one line, most frequent first."""
        return "; ".join(
            f"{count:,} {reason} (first: {first})" for reason, count, first in self.told()
        )

    @property
    def way_out(self) -> str:
        """What to do about the most frequent reason."""
        return next((_WAYS_OUT[reason] for reason, _ in self.counts.most_common(1)), "")


def _short(example: str, longest: int = 160) -> str:
    shown = " ".join(example.split())
    return shown if len(shown) <= longest else f"{shown[: longest - 3]}..."
