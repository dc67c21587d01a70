"""VQA accuracy as the data set's authors define it, with their normalisation of answers.

Source: https://visualqa.org/evaluation.html (Antol et al. 2015, Goyal et al. 2017), as of 2026-11;
the characters, number words and contractions are those of the authors' script of VQA v2.

Deviations: references are normalised as answers are, as the page says, also where all people said
the same (the script leaves such references as they stand, so that a unanimous "t-shirt" is out of
reach). Where there are fewer than four references full agreement could not score 1, and the row has
no score.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluator.metrics.metric import Metric, against_all
from evaluator.metrics.rows import each_distinct
from evaluator.metrics.texts.vqa_soft import AGREEING, leave_one_out

FEWEST_REFERENCES: Final = AGREEING + 1

_PUNCTUATION: Final = r""";/[]"{}()=+\_-><@`,?!"""
_NUMBERS: Final = {
    "none": "0",
    **{
        word: str(number)
        for number, word in enumerate(
            ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
        )
    },
}
_ARTICLES: Final = frozenset({"a", "an", "the"})
_CONTRACTED: Final = """
    ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't
    haven't he'd he'd've he's how'd how'll how's i'd've i'm i've isn't it'd it'd've it'll ma'am
    might've mightn't mightn't've must've mustn't needn't not've o'clock oughtn't 'ow's'at shan't
    she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd
    someone'd've someone'll someone's something'd something'd've something'll that's there'd
    there'd've there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've
    weren't what'll what're what's what've when's where'd where's where've who'd who'd've who'll
    who's who've why'll why're why's won't would've wouldn't wouldn't've y'all y'all'll y'all'd've
    you'd you'd've you'll you're you've
"""
_GROUPED_DIGITS: Final = re.compile(r"\d,\d")
_PERIOD: Final = re.compile(r"\.(?!\d)")


def _without_one_apostrophe() -> dict[str, str]:
    """Return each contraction under its spellings that lack an apostrophe."""
    return {
        word[:place] + word[place + 1 :]: word
        for word in _CONTRACTED.split()
        for place, letter in enumerate(word)
        if letter == "'"
    }


_CONTRACTIONS: Final = _without_one_apostrophe()


def vqa_v2(answers: Sequence[str], references: Sequence[tuple[str, ...]]) -> NDArray[np.float64]:
    """Return the accuracy of each row, shape (N,); NaN for a row with fewer than four references.

    Args:
        answers: N answers.
        references: what each person said, N times one or more.

    >>> vqa_v2(["two cats"], [("2 cats", "two cats", "a cat", "some")])
    array([0.5])
    """
    return each_distinct(_accuracy, answers, references)


def official_form(text: str) -> str:
    """Return an answer as VQA compares it.

    In lower case, punctuation made space or nothing, number words up to ten as digits, no
    articles, contractions with their apostrophe.
    """
    words = _without_punctuation(text).lower().split()
    digits = (_NUMBERS.get(word, word) for word in words)
    return " ".join(_CONTRACTIONS.get(word, word) for word in digits if word not in _ARTICLES)


def _without_punctuation(text: str) -> str:
    """Return a text without punctuation but apostrophes, colons and points of decimals.

    A mark becomes a space, or nothing where it stands beside a space or commas group digits.
    """
    text = " ".join(text.split())
    grouped = _GROUPED_DIGITS.search(text) is not None
    plain = text
    for mark in _PUNCTUATION:
        beside_space = f"{mark} " in text or f" {mark}" in text
        plain = plain.replace(mark, "" if grouped or beside_space else " ")
    return _PERIOD.sub("", plain)


def _accuracy(answer: str, references: tuple[str, ...]) -> float:
    if len(references) < FEWEST_REFERENCES:
        return float("nan")
    return leave_one_out(
        official_form(answer), [official_form(reference) for reference in references]
    )


METRIC: Final = Metric(
    name="vqa_v2",
    label="VQA v2 accuracy",
    score=against_all(vqa_v2),
    definition=lambda _models, _provenance: (
        "leave one out, min(1, matches / 3)|visualqa.org's normalisation, on both sides"
    ),
    fewest_references=FEWEST_REFERENCES,
)
