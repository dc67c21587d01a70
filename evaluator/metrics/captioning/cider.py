"""CIDEr (Vedantam et al. 2015) through pycocoevalcap, over a whole set of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric, MetricGroup, against_all, of_texts
from evaluator.metrics.tools import CAPTIONING, named_version, require_folder, require_module
from shared.questions.answers import spaced

NAME: Final = "cider"


def cider(answers: Sequence[str], references: Sequence[tuple[str, ...]]) -> NDArray[np.float64]:
    """Return each row's CIDEr within this set, shape (N,); their mean is the set's CIDEr.

    How rare an n-gram is is counted over the references of *all* rows given here, so the scores of
    two parts of a set cannot be put together: give the whole set.

    Not bounded by 1: a right answer of one word scores at most 2.5, one of four or more words 10.

    Raises:
        ToolMissing: pycocoevalcap is not installed.
    """
    tool = require_module(NAME, "pycocoevalcap.cider.cider_scorer", CAPTIONING)
    rows = [
        (spaced(answer), tuple(spaced(reference) for reference in several))
        for answer, several in zip(answers, references, strict=True)
    ]
    scorer = tool.CiderScorer()
    for several, count in Counter(several for _, several in rows).items():
        for ngram in {ngram for ngrams in tool.cook_refs(several) for ngram in ngrams}:
            scorer.document_frequency[ngram] += count
    distinct = list(dict.fromkeys(rows))
    for row in distinct:
        scorer += row
    # The scorer takes the number of its references for the size of the set, and scores as many
    # rows as it has answers: so each distinct row is scored once, and all of them are counted.
    scorer.crefs += [()] * (len(rows) - len(distinct))
    scores = dict(zip(distinct, scorer.compute_cider(), strict=True))
    return np.array([scores[row] for row in rows], dtype=np.float64)


METRIC: Final = Metric(
    name=NAME,
    label="CIDEr",
    score=against_all(cider),
    definition=of_texts(
        lambda: f"CIDEr, rarity over the set's references|{named_version('pycocoevalcap')}"
    ),
    bounds=(0.0, 10.0),
    require_tool=lambda: require_folder(NAME, "pycocoevalcap", CAPTIONING),
    depends_on_set=True,
    library="pycocoevalcap",
    groups=frozenset({MetricGroup.CAPTIONING, MetricGroup.ALL}),
)
