"""One rule for what a chat model's answer is, of all that it says.

Metrics compare answers as they stand, and a chat model that is asked for a word may still say a
sentence. The rule looks at what was said alone, never at the question or the reference. Its name
and version stand in a run's provenance; another rule gets another version.
"""

from __future__ import annotations

import re
from typing import Final

CLEANING: Final = "short answer 1"
"""The rule's name and version."""

MOST_WORDS: Final = 5
"""Of what is taken out of a sentence; what is longer was no short answer."""
_THOUGHT: Final = re.compile(r"\A.*</think>", re.DOTALL)
_UNFINISHED_THOUGHT: Final = re.compile(r"<think>.*\Z", re.DOTALL)
_LABEL: Final = re.compile(
    r"\A(?:the\s+)?(?:final\s+|short\s+|correct\s+)?answer(?:\s+is\b\s*:?|\s*:)\s*|\AA:\s*",
    re.IGNORECASE,
)
_YES_OR_NO: Final = re.compile(r"\A(yes|no)[,.;:!](?:\s|\Z)", re.IGNORECASE)
_STATEMENT: Final = re.compile(
    r"\A(?:(?:it|they|he|she|this|that|there)(?:'s|'re|\s+(?:is|are|was|were))"
    r"|(?:the|this|that|these|those|its|their)\s[^,.;:]*?\s(?:is|are|was|were))"
    r"\s+(?:(?:an?|the)\s+)?(?P<rest>.+)\Z",
    re.IGNORECASE,
)
_LISTED: Final = re.compile(r"\A(?:#+|[-\u2022])\s+")
_AROUND: Final = " \t*_`\"'\u201c\u201d\u2018\u2019"
_CLOSING: Final = ".!;,:"


def cleaned(said: str) -> str:
    r"""Return the answer in what a model said.

    1. What it thinks, up to ``</think>``, is no answer; nothing is, while it still thinks.
    2. The answer stands in the first line that is not empty, without Markdown around it or
       before it, without quotation marks around it, and without a mark at its end.
    3. ``Answer:``, ``The answer is`` and their like before it are left out.
    4. ``yes`` or ``no`` with a mark after it is the whole answer.
    5. Of a sentence that begins with ``the``, ``this``, ``that``, ``it``, ``there`` and their like,
       the answer is what follows its first ``is``, ``are``, ``was`` or ``were``, without an
       article; unless that has more than ``MOST_WORDS`` words.

    >>> cleaned("**The chair is red.**\nIt has four legs.")
    'red'
    >>> cleaned("Yes, it is.")
    'Yes'
    >>> cleaned("dark red")
    'dark red'
    """
    spoken = _UNFINISHED_THOUGHT.sub("", _THOUGHT.sub("", said))
    line = next(filter(None, map(_bare, spoken.splitlines())), "")
    line = _bare(_LABEL.sub("", line))
    if found := _YES_OR_NO.match(line):
        return found[1]
    if (statement := _STATEMENT.match(line)) and len(statement["rest"].split()) <= MOST_WORDS:
        return _bare(statement["rest"])
    return line


def _bare(text: str) -> str:
    """Return a text without what stands around it."""
    while (shorter := _LISTED.sub("", text.strip(_AROUND).rstrip(_CLOSING))) != text:
        text = shorter
    return text
