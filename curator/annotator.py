"""What answers requests: the interface behind which Gemini and every other service stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from curator.keys import Key
from curator.prompt import Request

FINISHED: Final = "STOP"
"""The ending of a reply that says all the model wanted to say."""
PROMPT_BLOCKED: Final = "PROMPT_BLOCKED_"
"""Stands before the reason where the request itself was blocked and nothing was generated."""
LONGEST_ENDING: Final = 60


@dataclass(frozen=True, slots=True)
class Reply:
    """What a successful request brought: the body as received and what of it matters.

    ``text`` is empty where nothing was generated. ``ending`` is Gemini's finish reason, also where
    another service has its own word for it; ``PROMPT_BLOCKED`` and the block reason where the
    prompt was blocked; empty where there is no candidate. Tokens are as the server counted them.
    """

    body: str
    text: str
    ending: str
    input_tokens: int
    output_tokens: int
    thought_tokens: int


class Annotator(Protocol):
    """Asks one model, with whatever key each request brings."""

    async def generate(self, request: Request, key: Key) -> Reply:
        """Send one request with ``key``, once.

        Raises:
            Refusal: whatever came instead of a reply; see ``curator.refusals``.
        """


def ending_of(word: object) -> str:
    """Return a server's word for how a reply ended, fit for logs and the ledger."""
    return "".join(one for one in str(word or "") if one.isalnum() or one == "_")[:LONGEST_ENDING]
