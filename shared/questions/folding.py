"""What of a question's spelling a model must not hear: it is folded away, in training and after.

Which folding a model or an adapter was trained with stands in a file beside its weights, by name
and version; without the file its questions are taken as they come. Bundles for onnxruntime have
the same rules in their manifest, see ``shared.onnx_vqa.runtime``.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

from shared.errors import InputError
from shared.value_class import value_class

FOLDING_FILE: Final = "question_folding.json"
VERSION: Final = 1
"""Of the rules and of the table of spellings; each older one must stay as it is."""

_WORD: Final = re.compile(r"[a-z]+")
_QUOTES: Final = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})
_CLOSING: Final = " ?!.\u00bf"


class FoldingName(StrEnum):
    """How questions are folded.

    ``bare``: small letters, single spaces, straight quotes, American spelling, and no mark at the
    end. ``asked``: the same with one question mark at the end.
    """

    NONE = "none"
    BARE = "bare"
    ASKED = "asked"


@value_class
class QuestionFolding:
    """A folding by name and version."""

    name: FoldingName = FoldingName.NONE
    version: int = VERSION

    def __str__(self) -> str:
        """Return name and version, for provenance."""
        return self.name if self.name is FoldingName.NONE else f"{self.name} {self.version}"

    @property
    def ending(self) -> str:
        """What every folded question ends with."""
        return "?" if self.name is FoldingName.ASKED else ""

    def fold(self, question: str) -> str:
        """Return the question as the model was trained to hear it; folded again, it stays."""
        if self.name is FoldingName.NONE:
            return question
        text = unicodedata.normalize("NFKC", question).translate(_QUOTES).lower()
        bare = " ".join(text.split()).rstrip(_CLOSING)
        return american(bare, self.version) + self.ending


AS_IT_COMES: Final = QuestionFolding()
BARE: Final = QuestionFolding(FoldingName.BARE)
ASKED: Final = QuestionFolding(FoldingName.ASKED)


def american(text: str, version: int = VERSION) -> str:
    """Return a text in small letters with its British spellings made American."""
    table = spellings(version)
    return _WORD.sub(lambda word: table.get(word[0], word[0]), text)


@cache
def spellings(version: int = VERSION) -> Mapping[str, str]:
    """Return the American spelling of each British one."""
    path = Path(__file__).with_name(f"spellings_{version}.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return {row["british"]: row["american"] for row in csv.DictReader(file)}


def write_folding(folding: QuestionFolding, folder: Path) -> None:
    """Write the record into a folder of a model or an adapter; for none, remove an older one."""
    path = folder / FOLDING_FILE
    if folding == AS_IT_COMES:
        path.unlink(missing_ok=True)
    else:
        # With it come Arrow and numpy, which who only folds need not wait for.
        from shared.corpus import write_json  # noqa: PLC0415

        write_json({"name": folding.name.value, "version": folding.version}, path)


def read_folding(folder: Path) -> QuestionFolding:
    """Return how the questions of a model or an adapter were folded; not at all without a record.

    Raises:
        InputError: the record names a folding that this version does not know.
    """
    path = folder / FOLDING_FILE
    if not path.is_file():
        return AS_IT_COMES
    from shared.corpus import read_json  # noqa: PLC0415 (as above)

    record = read_json(path)
    name, version = record.get("name"), record.get("version")
    if name not in list(FoldingName) or version != VERSION:
        raise InputError(
            f"{path}: folds questions by {name!r}, version {version!r}, which this version of "
            "abo-vqa does not know; install a newer one"
        )
    return QuestionFolding(FoldingName(name), VERSION)
