"""Agreement with the listing in languages whose grammar is not known here: by words alone; pure.

A question is about the whole product where each of its words names that, says what is asked, or
says nothing of a part. The words of a listing may be of another language: families have both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from curator.judging.agreeing.listing_map import ListingMap, Subject
from curator.prompts.languages.words import words_of

_SHORTEST_STEM: Final = 3
"""Letters that have to be left of a word without its ending, or of what a compound ends with."""


def subject_asked(question: str, mapping: ListingMap) -> Subject | None:
    """Return what a question is about; ``None`` for something that a listing does not say."""
    words = f" {' '.join(words_of(question))} "
    return next(
        (
            subject
            for subject in mapping.subject.values()
            if any(f" {phrase} " in words for phrase in subject.asked)
        ),
        None,
    )


def is_about_the_whole(
    question: str, subject: Subject, listing: Mapping[str, str], mapping: ListingMap
) -> bool:
    """Return whether a question speaks of a listing's product, and of no part of it."""
    asked = {word for phrase in subject.asked for word in phrase.split()}
    said = asked.union(mapping.passed_over, mapping.general)
    left = [word for word in words_of(question) if word not in said]
    if not left:
        return True
    product = _forms(
        f"{mapping.text_of(mapping.names, listing)} {mapping.text_of(mapping.kinds, listing)}",
        mapping,
    )
    kinds = [each for each in mapping.subject.values() if not each.in_names]
    known = {family for each in kinds for family in families_of(product, each, mapping)}
    return all(
        forms & product
        or any(known.intersection(families_of(forms, each, mapping)) for each in kinds)
        for forms in (_forms(word, mapping) for word in left)
    )


def says_the_same(answer: str, stated: str, subject: Subject, mapping: ListingMap) -> bool | None:
    """Return whether an answer says what the listing states; ``None`` where that is not known."""
    ours, theirs = _forms(answer, mapping), _forms(stated, mapping)
    if ours & theirs:
        return True
    mine, listed = (families_of(forms, subject, mapping) for forms in (ours, theirs))
    return bool(mine & listed) if mine and listed else None


def families_of(forms: Iterable[str], subject: Subject, mapping: ListingMap) -> set[str]:
    """Return the families of words, in whatever form; of a compound that of its end."""
    return {family for form in forms if (family := _family(form, subject, mapping))}


def _family(form: str, subject: Subject, mapping: ListingMap) -> str:
    known = subject.family_of
    if form in known or not mapping.compounds:
        return known.get(form, "")
    ends = (form[start:] for start in range(1, len(form) - _SHORTEST_STEM + 1))
    return next((known[end] for end in ends if end in known), "")


# A reply's questions are all about one product, and few answers are in use.
@lru_cache(maxsize=1_024)
def _forms_of(text: str, passed_over: tuple[str, ...], endings: tuple[str, ...]) -> frozenset[str]:
    words = set(words_of(text)).difference(passed_over)
    stems = {
        word.removesuffix(ending)
        for word in words
        for ending in endings
        if len(word) - len(ending) >= _SHORTEST_STEM
    }
    return frozenset(words | stems)


def _forms(text: str, mapping: ListingMap) -> frozenset[str]:
    """Return the words of ``text``, each also without its ending."""
    return _forms_of(text, mapping.passed_over, mapping.endings)
