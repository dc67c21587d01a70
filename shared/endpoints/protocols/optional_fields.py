"""Fields of a request that not every model takes: one that is refused is left out from then on."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from shared.endpoints.request import Request

_LIMIT: Final = "max_tokens"
_NEWER_LIMIT: Final = "max_completion_tokens"
"""What OpenAI's reasoning models want in its place; many servers know the older name alone."""
_OF_THIS_REQUEST: Final = re.compile(r"too (large|long|many|big)|maximum|exceed", re.IGNORECASE)


class OptionalFields:
    """What is asked of chat completions besides the question, by model.

    ``further`` are the user's own, which are never left out; ``wants_logprobs`` asks how likely the
    tokens of an answer were.
    """

    def __init__(self, further: Mapping[str, Any], *, wants_logprobs: bool) -> None:
        self._further = dict(further)
        self._wants_logprobs = wants_logprobs
        self._refused: dict[str, set[str]] = defaultdict(set)

    @property
    def further(self) -> Mapping[str, Any]:
        """The user's own fields, which go over all others."""
        return self._further

    def of(self, request: Request, model: str) -> dict[str, Any]:
        """Return the fields for a request, without those that ``model`` refused."""
        fields: dict[str, Any] = {}
        if request.temperature is not None:
            fields["temperature"] = request.temperature
        if request.most_output_tokens is not None:
            name = _NEWER_LIMIT if _LIMIT in self._refused[model] else _LIMIT
            fields[name] = request.most_output_tokens
        if self._wants_logprobs:
            fields["logprobs"] = True
        return {name: value for name, value in fields.items() if name not in self._refused[model]}

    def refused(self, sent: Mapping[str, Any], model: str, reason: str) -> str:
        """Return which field a refusal is about, such as ``logprobs=True``; empty if none of ours.

        It is not sent to ``model`` any more; an output limit goes by its other name. ``sent`` are
        the fields of the request that was refused: others were refused meanwhile. That a value is
        too large for this one request says nothing of the field.
        """
        if _OF_THIS_REQUEST.search(reason):
            return ""
        for name, value in sent.items():
            if name in reason and name not in self._further:
                self._refused[model].add(name)
                return f"{name}={value}"
        return ""
