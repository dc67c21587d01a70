"""METEOR 1.5 of a set by its own jar (Denkowski and Lavie 2014), which pycocoevalcap ships.

NLTK's is another metric, ``meteor_nltk``. The jar's figure is one of a corpus: matches and lengths
of all rows are added up before anything is divided. Each row's statistics are kept, so that any set
of rows has its exact figure.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.corpus import CorpusFigure, Counter
from evaluator.metrics.metric import Metric, MetricGroup, of_texts
from evaluator.metrics.tools import (
    CAPTIONING,
    named_version,
    require_folder,
    require_java,
)
from shared.errors import AboVqaError
from shared.questions.answers import spaced

NAME: Final = "meteor"
JAR: Final = "meteor-1.5.jar"
STATISTICS: Final = (
    *("answer_words", "reference_words", "answer_function_words", "reference_function_words"),
    *(
        f"{matcher}_{side}_{kind}"
        for matcher in ("exact", "stem", "synonym", "paraphrase")
        for kind in ("content", "function")
        for side in ("answer", "reference")
    ),
    *("chunks", "answer_matches", "reference_matches"),
)
"""What the jar counts for a row, in its order."""

ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75
"""The jar's parameters for English: precision against recall, shape and weight of the penalty for
scattered matches, content words against function words."""
MATCHER_WEIGHTS: Final = (1.0, 0.6, 0.8, 0.6)
"""Of exact, stem, synonym and paraphrase matches."""
_TIMEOUT_S: Final = 1800


class MeteorFailed(AboVqaError):
    """The METEOR jar ended or did not answer."""


def meteor_statistics(
    answers: Sequence[str], references: Sequence[tuple[str, ...]]
) -> NDArray[np.float64]:
    """Return what the jar counts for each row, shape (N, 23), in the order of ``STATISTICS``.

    With several references it is the one that the answer scores best against. ``chunks`` is 0 for
    a row whose words all match in one piece: the jar counts no penalty for it, alone or in a sum.

    Raises:
        ToolMissing: pycocoevalcap or Java is not installed.
        MeteorFailed: the jar did not answer.
    """
    rows = [
        (spaced(answer), tuple(spaced(reference) for reference in several))
        for answer, several in zip(answers, references, strict=True)
    ]
    distinct = list(dict.fromkeys(rows))
    counted = dict(zip(distinct, _ask_jar(distinct), strict=True))
    statistics_ND = np.array([counted[row] for row in rows], dtype=np.float64)
    return statistics_ND.reshape(-1, len(STATISTICS))


def meteor(statistics_RD: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return METEOR for each of R sums of statistics, shape (R,), in [0, 1].

    One content word of two, found as it stands in a reference of one word:

    >>> row = dict.fromkeys(STATISTICS, 0.0) | {"answer_words": 2, "reference_words": 1}
    >>> row |= {"exact_answer_content": 1, "exact_reference_content": 1}
    >>> row |= {"answer_matches": 1, "reference_matches": 1, "chunks": 1}
    >>> meteor(np.array([list(row.values())])).round(4)
    array([0.3478])
    """
    column = dict(zip(STATISTICS, statistics_RD.T, strict=True))
    precision = _weighted_share(column, "answer")
    recall = _weighted_share(column, "reference")
    mean = _divide(precision * recall, ALPHA * precision + (1 - ALPHA) * recall)
    matches = (column["answer_matches"] + column["reference_matches"]) / 2
    scatter = _divide(column["chunks"], matches)
    result: NDArray[np.float64] = mean * (1 - GAMMA * scatter**BETA)
    return result


def _weighted_share(column: dict[str, NDArray[np.float64]], side: str) -> NDArray[np.float64]:
    """Return the share of one side's words that match, function words weighing less."""
    function = column[f"{side}_function_words"]
    total = DELTA * (column[f"{side}_words"] - function) + (1 - DELTA) * function
    matched = np.zeros_like(total)
    for matcher, weight in zip(
        ("exact", "stem", "synonym", "paraphrase"), MATCHER_WEIGHTS, strict=True
    ):
        matched += weight * DELTA * column[f"{matcher}_{side}_content"]
        matched += weight * (1 - DELTA) * column[f"{matcher}_{side}_function"]
    return _divide(matched, total)


def _divide(dividend: NDArray[np.float64], divisor: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quotients, 0 where there is nothing to divide by."""
    return np.divide(dividend, divisor, out=np.zeros_like(dividend), where=divisor > 0)


def _ask_jar(rows: Sequence[tuple[str, tuple[str, ...]]]) -> list[list[float]]:
    """Return the statistics of each row from one run of the jar."""
    folder = require_folder(NAME, "pycocoevalcap", CAPTIONING) / "meteor"
    command = [
        *(require_java(NAME), "-Xmx2G", "-jar", JAR),
        *("-", "-", "-stdio", "-l", "en", "-norm"),
    ]
    asked = "".join(f"SCORE ||| {' ||| '.join((*several, answer))}\n" for answer, several in rows)
    try:
        done = subprocess.run(  # noqa: S603 (our own command line)
            command,
            cwd=folder,
            input=asked,
            capture_output=True,
            encoding="utf-8",
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (subprocess.SubprocessError, OSError) as error:
        reason = getattr(error, "stderr", None) or str(error)
        last_line = str(reason).strip().splitlines()[-1]
        raise MeteorFailed(f"METEOR's jar failed: {last_line}") from error
    lines = done.stdout.splitlines()
    if len(lines) != len(rows):
        raise MeteorFailed(f"METEOR's jar answered {len(lines)} of {len(rows)} rows")
    return [_as_summed([float(value) for value in line.split()]) for line in lines]


def _as_summed(statistics: list[float]) -> list[float]:
    named = dict(zip(STATISTICS, statistics, strict=True))
    whole = (
        named["answer_matches"] == named["answer_words"]
        and named["reference_matches"] == named["reference_words"]
        and named["chunks"] <= 1
    )
    return list((named | {"chunks": 0.0}).values()) if whole else statistics


def _require_tool() -> None:
    require_folder(NAME, "pycocoevalcap", CAPTIONING)
    require_java(NAME)


_CORPUS: Final = CorpusFigure(Counter("meteor", STATISTICS, meteor_statistics), meteor)

METRIC: Final = Metric(
    name=NAME,
    label="METEOR",
    score=_CORPUS.of_each,
    definition=of_texts(
        lambda: f"corpus METEOR 1.5, English, jar of {named_version('pycocoevalcap')}"
    ),
    require_tool=_require_tool,
    corpus=_CORPUS,
    library="pycocoevalcap",
    groups=frozenset({MetricGroup.CAPTIONING, MetricGroup.ALL}),
)
