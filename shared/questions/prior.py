"""The question-only prior: how far one gets without looking at the picture."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.questions.answers import normalise, words
from shared.questions.folding import american
from shared.records import QAPair


@dataclass(frozen=True)
class QuestionPrior:
    """The most frequent training answer for a question, or for as many of its first words as known.

    ``by_words`` maps a question's first words to that answer; the empty tuple holds the most
    frequent answer of all.
    """

    by_words: Mapping[tuple[str, ...], str]

    @classmethod
    def fit(cls, pairs: Iterable[QAPair]) -> QuestionPrior:
        """Count the answers of training pairs; ties go to the answer first in the alphabet.

        Raises:
            ValueError: there is no pair.
        """
        answers: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for pair in pairs:
            asked = _heard(pair.question)
            for length in range(len(asked) + 1):
                answers[asked[:length]][normalise(pair.answer)] += 1
        if not answers:
            raise ValueError("a prior needs at least one pair")
        return cls({beginning: _most_frequent(counts) for beginning, counts in answers.items()})

    def answer(self, question: str) -> str:
        """Return the guess for ``question``, normalised."""
        asked = _heard(question)
        while asked not in self.by_words:
            asked = asked[:-1]
        return self.by_words[asked]


def _heard(question: str) -> tuple[str, ...]:
    """Return the words of a question; no mark, case or spelling decides a guess."""
    return tuple(words(american(question.lower())))


def _most_frequent(counts: Counter[str]) -> str:
    return min(counts, key=lambda answer: (-counts[answer], answer))
