"""What a question is put into before a model hears it, and how long its answer may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from shared.errors import InputError

MAX_NEW_TOKENS: Final = 10
PLACE: Final = "{question}"


@dataclass(frozen=True, slots=True)
class Instruction:
    """A template with one place for the question, empty for the model's own way to be asked.

    ``max_new_tokens`` bounds the answer of a model that generates it.
    """

    template: str = ""
    max_new_tokens: int = MAX_NEW_TOKENS

    def around(self, question: str) -> str:
        """Return what is asked, with the question in its place."""
        return self.template.replace(PLACE, question) if self.template else question


NO_INSTRUCTION: Final = Instruction()


def checked_instruction(template: str, max_new_tokens: int) -> Instruction:
    """Return an instruction that can be followed.

    Raises:
        InputError: the template does not say where the question goes.
    """
    if template and PLACE not in template:
        raise InputError(
            f"--prompt {template!r}: say where the question goes, such as "
            f"'{PLACE} Answer in one word.'"
        )
    return Instruction(template, max_new_tokens)
