"""Pairs as rows: what files of pairs hold of each, cell by cell, in the order of their columns.

A ``QAPair`` takes several times as long to make as a row, and a row as long as all else that is
done for a pair; whoever passes on millions of pairs passes on rows, or columns of many of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, cast

from shared.records.boxes import Box
from shared.records.records import NO_RIGHT_ANSWER, Provenance, QAPair, Split

ExtraCells = tuple[tuple[str, str | int | float | bool | None], ...]


class PairRow(NamedTuple):
    """The cells of a pair: those of ``shared.corpus.PAIR_SCHEMA`` and, last, its ``extra`` ones.

    ``answers`` is JSON text, and ``boxes`` are lists of edges.
    """

    id: str
    question: str
    answer: str
    filename: str
    split: Split | None = None
    difficulty: str = ""
    model: str = ""
    prompt_version: str = ""
    listing_id: str = ""
    agreement: str = ""
    answers: str | None = None
    second_answer: str = ""
    second_opinion: str = ""
    label_review: str | None = None
    label_before_review: str | None = None
    label_sample: str | None = None
    boxes: Sequence[Sequence[float]] | None = None
    domain: str | None = None
    product: str | None = None
    unit_id: str | None = None
    extra: ExtraCells = ()

    @property
    def has_right_answer(self) -> bool:
        """Tell whether the answer may be right: people did not say that there is none."""
        return self.label_review not in NO_RIGHT_ANSWER


OWN_COLUMNS: Final = PairRow._fields[:-1]
"""Those that every pair has."""
PairColumns = Sequence[Sequence[Any]]
"""The cells of several rows, column by column, in the order of ``PairRow``."""
# As ``PairRow._make``, without a call of Python's for each of millions.
_NEW_ROW: Final[Callable[[tuple[object, ...]], PairRow]] = partial(tuple.__new__, PairRow)


def rows_of(columns: PairColumns) -> Iterator[PairRow]:
    """Yield the rows whose cells are given by column."""
    return map(_NEW_ROW, zip(*columns, strict=True))


def columns_of(rows: Sequence[PairRow]) -> PairColumns:
    """Return the columns of rows."""
    return list(zip(*rows, strict=True)) if rows else [()] * len(PairRow._fields)


def filled_columns(count: int, **known: Sequence[Any]) -> PairColumns:
    """Return the columns of ``count`` rows of which those are known; others hold what is usual."""
    usual = PairRow._field_defaults
    return [known[name] if name in known else (usual[name],) * count for name in PairRow._fields]


def pair_row(pair: QAPair) -> PairRow:
    """Return the row of a pair."""
    made_by = pair.provenance
    return PairRow(
        pair.id,
        pair.question,
        pair.answer,
        pair.filename,
        pair.split,
        pair.difficulty,
        made_by.model,
        made_by.prompt_version,
        made_by.listing_id,
        pair.agreement,
        answers_json(pair),
        pair.second_answer,
        pair.second_opinion,
        pair.label_review or None,
        pair.label_before_review or None,
        pair.label_sample or None,
        [box.edges for box in pair.boxes] or None,
        pair.domain or None,
        pair.product or None,
        pair.unit_id or None,
        pair.extra,
    )


def answers_json(pair: QAPair) -> str | None:
    """Return a pair's several references as files of pairs have them; ``None`` for none."""
    return json.dumps(pair.answers, ensure_ascii=False) if pair.answers else None


def pair_of(row: PairRow) -> QAPair:
    """Return the pair that a row was made of."""
    return QAPair(
        id=row.id,
        question=row.question,
        answer=row.answer,
        filename=row.filename,
        split=row.split,
        difficulty=row.difficulty,
        provenance=Provenance(row.model, row.prompt_version, row.listing_id),
        agreement=row.agreement,
        answers=tuple(cast("list[str]", json.loads(row.answers))) if row.answers else (),
        second_answer=row.second_answer,
        second_opinion=row.second_opinion,
        label_review=row.label_review or "",
        label_before_review=row.label_before_review or "",
        label_sample=row.label_sample or "",
        boxes=tuple(Box(*edges) for edges in row.boxes or ()),
        domain=row.domain or "",
        product=row.product or "",
        unit_id=row.unit_id or "",
        extra=row.extra,
    )
