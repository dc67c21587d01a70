"""Answers as a chat model has to say them: in its template's words, from where it begins to speak.

A template may put something before an answer (a space, in SmolVLM's) and has a way to end it. The
end is learned too, since a model that never ends goes on talking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from transformers import PreTrainedTokenizerBase, ProcessorMixin

from shared.errors import InputError
from shared.vqa.chat.processor import quick_answer

_ANSWER: Final = "Zebra"
"""A word that no template has."""


@dataclass(frozen=True, slots=True)
class SpokenAnswer:
    """How an answer is said: the words before it, and the tokens that end it."""

    before: str
    after: str
    ends: frozenset[int]
    end: int

    def tokens(
        self, tokenizer: PreTrainedTokenizerBase, answer: str, longest: int
    ) -> tuple[int, ...]:
        """Return an answer's tokens with its end, cut to ``longest``."""
        ids: Sequence[int] = tokenizer(
            f"{self.before}{answer}{self.after}", add_special_tokens=False
        )["input_ids"]
        stop = next((at for at, token in enumerate(ids) if token in self.ends), len(ids))
        end = ids[stop] if stop < len(ids) else self.end
        return (*ids[: min(stop, longest - 1)], end)


def spoken_answer(processor: ProcessorMixin, ends: frozenset[int], name: str) -> SpokenAnswer:
    """Find out how a model's answers are said.

    Args:
        processor: the model's own.
        ends: the tokens at which the model stops to speak.
        name: of the model, for the error.

    Raises:
        InputError: the model names no end token, so that it could not learn to stop.
    """
    tokenizer = processor.tokenizer
    if not ends:
        raise InputError(f"{name}: names no end token (eos_token_id in generation_config.json)")
    end = tokenizer.eos_token_id if tokenizer.eos_token_id in ends else min(ends)
    before, after = _around_answer(processor)
    closing = tokenizer(after, add_special_tokens=False)["input_ids"] if after else []
    return SpokenAnswer(before, after if ends & set(closing) else "", ends, end)


def _around_answer(processor: ProcessorMixin) -> tuple[str, str]:
    """Return what the template puts between the prompt and an answer, and after the answer."""
    template = getattr(processor, "chat_template", None)
    if not template:
        return "", ""
    question: dict[str, Any] = {
        "role": "user",
        "content": [{"type": "image"}, {"type": "text", "text": "What?"}],
    }
    answer = {"role": "assistant", "content": [{"type": "text", "text": _ANSWER}]}
    words = quick_answer(template)
    try:
        prompt: str = processor.apply_chat_template([question], add_generation_prompt=True, **words)
        whole: str = processor.apply_chat_template([question, answer], **words)
    except Exception:  # noqa: BLE001 (a template is a program, and raises what it likes)
        # Some know of questions alone; then an answer is its words and an end.
        return "", ""
    said, _, after = whole.rpartition(_ANSWER)
    return said.removeprefix(prompt) if said.startswith(prompt) else "", after
