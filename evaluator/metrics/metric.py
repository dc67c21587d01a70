"""What a metric is: one object, in a file of its own, listed in ``evaluator.metrics.registry``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.corpus import CorpusFigure
from evaluator.metrics.rows import PairScore, Regions, Rows, RowScore
from evaluator.metrics.text_models.loaded import TextModel, TextModels
from evaluator.metrics.tools import ToolMissing

NORMALISATION: Final = r"lower, strip, NFC, remove [^\w\s] but marks"
"""What comes before every metric of texts, as signatures say it."""

Score = Callable[[Rows, TextModels], NDArray[np.float64]]
"""Scores N rows, shape (N,); NaN for a row that has no score."""
Definition = Callable[[TextModels, Mapping[str, Any]], str]
"""Says what scores depend on besides their rows: models, options, versions, separated by ``|``.

It is given the loaded models and the provenance of the answers.
"""


class MetricGroup(StrEnum):
    """A name for several metrics, as ``--metrics`` takes it."""

    CAPTIONING = "captioning"
    """For longer answers; each needs a tool that may be missing."""
    ALL = "all"
    """Those that need nothing of the answers but their texts."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Metric:
    """A metric: what it is called, what it needs, and how it scores.

    Attributes:
        name: as it stands in files, tables and on the command line.
        label: what people read.
        score: its scores of rows.
        definition: what those depend on besides the rows.
        bounds: the least and the greatest score that is possible.
        models: the models that it needs loaded.
        require_tool: checks that what it needs is installed; raises ``ToolMissing``.
        regions: what the regions behind an answer are held against, where it needs any.
        fewest_references: how many a row must have for a score.
        corpus: how the figure of a set is formed where that is no mean of the rows' scores.
        depends_on_set: whether a row's score depends on the other rows that are scored with it.
        library: the distribution that computes it, where that is not our own code.
        by_default: whether it is computed of any data unless told otherwise.
        by_default_of_several: whether it is computed, unless told otherwise, of any data with as
            many references as it needs.
        groups: the names that stand for it and others.
        of_constants: whether constant answers are scored by it: exact, and cheap over every
            distinct reference.
        shows_spread: whether the report draws how its scores are spread.
    """

    name: str
    label: str
    score: Score
    definition: Definition
    bounds: tuple[float, float] = (0.0, 1.0)
    models: frozenset[TextModel] = frozenset()
    require_tool: Callable[[], object] = lambda: None
    regions: Regions | None = None
    fewest_references: int = 1
    corpus: CorpusFigure | None = None
    depends_on_set: bool = False
    library: str = ""
    by_default: bool = False
    by_default_of_several: bool = False
    groups: frozenset[MetricGroup] = frozenset()
    of_constants: bool = False
    shows_spread: bool = False

    def __str__(self) -> str:
        """Return its name."""
        return self.name

    @property
    def has_tool(self) -> bool:
        """Tell whether what it needs is installed."""
        try:
            self.require_tool()
        except ToolMissing:
            return False
        return True

    @property
    def has_leads(self) -> bool:
        """Tell whether a row's score may be taken from that of another answer to the row."""
        return self.corpus is None and not self.depends_on_set

    def judges(self, rows: Rows) -> NDArray[np.bool_]:
        """Return which rows have what it takes for a score, shape (N,), readable image or not."""
        enough = [len(several) >= self.fewest_references for several in rows.references]
        judged_N = np.array(enough, dtype=np.bool_)
        return judged_N & rows.has_boxes_N if self.regions is Regions.BOXES else judged_N

    def signature(self, models: TextModels, provenance: Mapping[str, Any]) -> str:
        """Return what a score depends on besides its row, and a hash of that.

        Figures with different signatures are different metrics.
        """
        text = self.definition(models, provenance)
        digest = hashlib.sha256(f"{self.name}|{text}".encode()).hexdigest()
        return f"{text}|#{digest[:8]}"


def best_of(score: PairScore) -> Score:
    """Return the score by the reference that suits each row best."""
    return lambda rows, _: rows.best(score)


def against_all(score: RowScore) -> Score:
    """Return the score by all references of a row together."""
    return lambda rows, _: rows.computed(score)


def of_texts(kind: Callable[[], str] | None = None) -> Definition:
    """Return the definition of a metric of normalised texts; ``kind`` says which one it is."""
    if kind is None:
        return lambda _models, _provenance: NORMALISATION
    return lambda _models, _provenance: f"{kind()}|{NORMALISATION}"
