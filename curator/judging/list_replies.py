"""Plain lists of questions and answers, numbered or not, to drafts; pure, and total on any text.

The answer stands on the question's line or on the next one. Of several pictures a pair names one
before or behind its question or answer, on a line of its own after them, or above several pairs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from curator.judging.drafts import ANSWERS, ASKS, Draft, plain_text
from curator.prompts.reply_fields import PICTURE

_QUESTION = re.compile(rf"^(?:{ASKS})\s*\d*\s*[:.)\-]\s*(?P<rest>.+)$", re.IGNORECASE)
_ANSWER = re.compile(rf"^(?:{ANSWERS})\s*\d*\s*[:.)\-=]\s*(?P<rest>.+)$", re.IGNORECASE)
_NUMBER = re.compile(r"^\(?\d{1,3}\s*[.):\-]\s*(?P<rest>.+)$")
_INLINE_ANSWER = re.compile(rf"(?<!\w)(?:{ANSWERS})\s*\d*\s*[:=]\s*", re.IGNORECASE)
_MARKUP = re.compile(r"[*_`#]+")
_DASHES = "-\N{EN DASH}\N{EM DASH}"
_BULLETS = f"{_DASHES}\N{BULLET} "
_SEPARATORS = f"{_DASHES} \t:|>=,;()[]"
# As it is asked for, and as models say it in German and Hindi.
_CALLED = r"(?:picture|image|photo|bild|चित्र|तस्वीर)"
_BEFORE = re.compile(
    rf"^[(\[]?{_CALLED}\s*#?(?P<number>\d{{1,2}})[)\]]?\s*[:.)\]\-]\s*(?P<rest>.+)$", re.IGNORECASE
)
_BEHIND = re.compile(
    rf"^(?P<rest>.+?)\s*[(\[]\s*{_CALLED}\s*[:#]?\s*(?P<number>\d{{1,2}})\s*[)\]][.,]?$",
    re.IGNORECASE,
)
_ABOVE = re.compile(rf"^{_CALLED}\s*#?(?P<number>\d{{1,2}})\s*:?$", re.IGNORECASE)
_AFTER = re.compile(rf"^{_CALLED}\s*[:=]\s*#?(?P<number>\d{{1,2}})$", re.IGNORECASE)


def list_drafts(text: str) -> list[Draft]:
    """Return the pairs of a list, in its order; none where there is no list."""
    reading = _Reading([])
    for raw in text.splitlines():
        if line := plain_text(_MARKUP.sub(" ", raw)).lstrip(_BULLETS):
            reading.take(line)
    return reading.drafts


def bare_answer(text: str) -> str:
    """Return the one answer that a text is, with a word such as "Answer:" before it or without."""
    line = plain_text(_MARKUP.sub(" ", text))
    named = _ANSWER.match(line)
    return _answer(named["rest"] if named else line)


@dataclass(slots=True)
class _Reading:
    """A list that is read line by line: its pairs so far, and what waits for its answer.

    ``picture`` is the number that the pair at hand names, ``above`` the one of all that follow.
    """

    drafts: list[Draft]
    question: str = ""
    picture: str = ""
    above: str = ""

    def take(self, line: str) -> None:
        if found := _ABOVE.match(line):
            self.above = found["number"]
            return
        if found := _AFTER.match(line):
            self._name(found["number"])
            return
        if answer := _ANSWER.match(line):
            self._answer(self.question, answer["rest"])
            return
        question, answer_text = _question_of(self._without_picture(line))
        if question and answer_text:
            self._answer(question, answer_text)
        elif question:
            self.question = question
        elif self.question:
            self._answer(self.question, line)

    def _name(self, number: str) -> None:
        if self.question or not self.drafts:
            self.picture = number
        else:
            self.drafts[-1] = replace(self.drafts[-1], others={PICTURE: number})

    def _answer(self, question: str, text: str) -> None:
        answer = _answer(self._without_picture(text))
        if question and answer:
            number = self.picture or self.above
            others = {PICTURE: number} if number else {}
            self.drafts.append(Draft(question, answer, others=others))
        self.question = self.picture = ""

    def _without_picture(self, text: str) -> str:
        """Return a text without the words that name a picture before or behind it."""
        numbered = _NUMBER.match(text)
        for pattern in (_BEFORE, _BEHIND):
            if found := pattern.match(numbered["rest"] if numbered else text):
                self.picture = found["number"]
                return found["rest"]
        return text


def _question_of(line: str) -> tuple[str, str]:
    """Return the question and the answer on a line, each empty where there is none."""
    numbered = _NUMBER.match(line)
    rest = numbered["rest"] if numbered else line
    named = _QUESTION.match(rest)
    rest = named["rest"] if named else rest
    if inline := _INLINE_ANSWER.search(rest, 1):
        return rest[: inline.start()].rstrip(_SEPARATORS), _answer(rest[inline.end() :])
    head, mark, tail = rest.partition("?")
    if mark and head.strip():
        return f"{head.strip()}?", _answer(tail)
    return (rest.strip(), "") if named else ("", "")


def _answer(text: str) -> str:
    return text.strip(_SEPARATORS).rstrip(".").strip()
