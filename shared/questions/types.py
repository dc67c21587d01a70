"""What a question asks for, by rules that are read from top to bottom: the first that fits wins."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from shared.questions.answers import normalise
from shared.questions.folding import american

OTHER: Final = "other"

_RULES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    (
        "yes/no",
        re.compile(
            r"^(is|are|was|were|does|do|did|can|could|has|have|will|would|should)\b(?!.*\bor\b)"
        ),
    ),
    (
        "choice",
        re.compile(r"^(is|are|was|were|does|do|did|can|could|has|have|will|would|should)\b"),
    ),
    ("count", re.compile(r"^(how many|how much)\b|\b(number|count|quantity) of\b")),
    ("colour", re.compile(r"\b(colors?|colored|shade|hue)\b")),
    (
        "material",
        re.compile(
            r"\b(materials?|fabric|textures?|textured|made (of|from|out of)|metal|wood type"
            r"|upholstery|leather)\b"
        ),
    ),
    ("shape", re.compile(r"\b(shapes?|shaped|silhouette|form|contour|outline|geometry)\b")),
    (
        "look",
        re.compile(
            r"\b(patterns?|patterned|designs?|designed|motifs?|prints?|finish|finishes|finished"
            r"|appearance|themes?|decorations?|ornament(ation)?|embellish(ment|ments|ed)?"
            r"|surface|transparency|cut|aesthetic)\b"
        ),
    ),
    (
        "size",
        re.compile(
            r"\b(sizes?|height|heights|length|width|diameter|depth|weight|thickness|dimensions?"
            r"|volume|capacity|inch|inches|how (big|tall|long|wide|thick|high|large))\b"
        ),
    ),
    (
        "text",
        re.compile(
            r"\b(words?|letters?|numerals?|text|written|printed|inscribed|inscription|engraved"
            r"|labels?|labeled|says?|logo|symbols?|names?|numbers?|model|language|initials?)\b"
        ),
    ),
    (
        "state",
        re.compile(
            r"\b(state|condition|position|positioned|orientation|oriented|arrangement|arranged"
            r"|placement|placed|located|location|direction|settings?|layout|configuration"
            r"|folded|displayed|where|how (is|are)|presentation|closure|facing|environment"
            r"|background|pose|stacked)\b"
        ),
    ),
    (
        "object",
        re.compile(
            r"\b(types?|kinds?|sort|style|category|object|objects|items?|products?|animals?|brand"
            r"|elements?|features?|parts?|components?|devices?|accessor(y|ies)|pieces?|details?"
            r"|things?|stones?|gemstones?|gems?|fruits?|flowers?|insects?|plants?|foods?|characters?"
            r"|mechanism|function|purpose|used|use|tools?|furniture|garments?|gender|season|room"
            r"|subject|figures?|creatures?|signs?|power|heels?|toes?|handles?|straps?|soles?)\b"
            r"|^what (else )?(is|are|does|do|appears?|can|lies|sits|hangs|covers|holds)"
            r" (this|that|these|those|it|a|an|on|in|inside|at|under|above|below|behind|beside"
            r"|between|around|near|to|for|one|shown|depicted|visible|attached|included|present"
            r"|featured|seen|pictured|be|hanging|resting|next|being|over|beneath|underneath|with)\b"
        ),
    ),
)
"""``state`` is where and how something stands: open, folded, on the left. ``look`` is pattern,
finish and decoration; ``text`` what can be read on the product."""

QUESTION_TYPES: Final = (*(name for name, _ in _RULES), OTHER)
"""Every type, in the order of tables and plots."""


@lru_cache(maxsize=2**16)
def question_type(question: str) -> str:
    """Return one of ``QUESTION_TYPES``."""
    text = american(normalise(question))
    return next((name for name, rule in _RULES if rule.search(text)), OTHER)


def type_shares(questions: Iterable[str]) -> dict[str, float]:
    """Return the share of each question type that occurs, in the order of ``QUESTION_TYPES``."""
    counts = Counter(question_type(question) for question in questions)
    return {kind: counts[kind] / counts.total() for kind in QUESTION_TYPES if counts[kind]}
