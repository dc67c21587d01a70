"""What is counted of a reply: its form, its ending, what stood in it and why it was of no use."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from shared.value_class import value_class

NO_CANDIDATE: Final = "no_candidate"
"""Stands for the ending of a reply that has none, because nothing was generated."""


class Form(StrEnum):
    """How a reply was written; the names appear in ``curator status`` and in the ledger."""

    JSON = "json"
    """As it was asked for, and nothing else."""
    FENCED = "fenced"
    """Valid JSON in a fence or between other words."""
    REPAIRED = "repaired"
    """JSON with mistakes in it, such as a comma too many."""
    CUT_OFF = "cut_off"
    """JSON that ends in the middle; the pairs that are complete are kept."""
    LIST = "list"
    """A plain list, numbered or not."""
    EMPTY = "empty"
    """No text at all."""
    UNPARSABLE = "unparsable"
    """Text without one question and its answer."""


@value_class
class ReplyFacts:
    """What ``curator status`` counts of a reply.

    ``drafts`` is how many pairs stood in it, valid or not. ``rejection`` is why the reply as a
    whole was of no use (see ``curator.judging.judge.rejection_of``), empty where it was.
    """

    ending: str
    form: Form
    drafts: int
    rejection: str = ""
