"""Who can be asked: the registry, one line an annotator."""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from shared.endpoints.protocols.annotator import Protocol


class Service(StrEnum):
    """Whose protocol an annotator speaks: the word for ``--service``, and the module.

    The module, imported once it is asked for, has a ``PROTOCOL``. The word is kept in ledgers.
    """

    module: str

    def __new__(cls, word: str, module: str = "") -> Self:
        """Make a member whose value is the word alone."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.module = module
        return member

    GEMINI = "gemini", "shared.endpoints.protocols.gemini"
    OPENAI = "openai", "shared.endpoints.protocols.openai_sdk"

    @property
    def protocol(self) -> Protocol:
        """What its module tells of it."""
        return self.load()

    def load(self) -> Protocol:
        """Return what its module tells of it, imported now: aiohttp takes a while."""
        protocol: Protocol = import_module(self.module).PROTOCOL
        return protocol
