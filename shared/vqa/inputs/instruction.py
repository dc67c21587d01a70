"""What a question is put into before a model hears it, and how long its answer may be.

An adapter keeps the instruction that it was trained with beside its weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from shared.errors import InputError
from shared.program.toml_files import read_toml
from shared.value_class import value_class

MAX_NEW_TOKENS: Final = 10
PLACE: Final = "{question}"
INSTRUCTION_FILE: Final = "instruction.json"
ANY_CHAT_MODEL: Final = "*"
"""Stands for the type of all that have no prompt of their own."""


@value_class
class Instruction:
    """A template with one place for the question, empty for the model's own way to be asked.

    ``max_new_tokens`` bounds the answer of a model that generates it; ``None`` where nobody says.
    """

    template: str = ""
    max_new_tokens: int | None = None

    @property
    def longest_answer(self) -> int:
        """Return how many tokens a model on this machine may generate."""
        return self.max_new_tokens or MAX_NEW_TOKENS

    def around(self, question: str) -> str:
        """Return what is asked, with the question in its place."""
        return self.template.replace(PLACE, question) if self.template else question


NO_INSTRUCTION: Final = Instruction()


def checked_instruction(template: str, max_new_tokens: int | None) -> Instruction:
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


@cache
def default_prompts() -> Mapping[str, str]:
    """Return the prompts that chat models are asked in by default, by the type of model."""
    path = Path(__file__).with_name("default_prompts.toml")
    kinds = read_toml(path)["prompts"]
    return {kind: entry["prompt"] for kind, entry in kinds.items()}


def default_prompt(model_type: str) -> str:
    """Return the prompt of chat models of one type."""
    return default_prompts().get(model_type, default_prompts()[ANY_CHAT_MODEL])


def write_instruction(instruction: Instruction, folder: Path) -> None:
    """Write what an adapter was trained with into its folder; for none, remove an older one."""
    path = folder / INSTRUCTION_FILE
    if not instruction.template:
        path.unlink(missing_ok=True)
        return
    # With it come Arrow and numpy, which who only asks need not wait for.
    from shared.corpus import write_json  # noqa: PLC0415

    write_json({"prompt": instruction.template}, path)


def instruction_of_adapters(instruction: Instruction, adapters: Iterable[Path]) -> Instruction:
    """Return how a base with adapters is asked: as said, or as the adapters were trained.

    Raises:
        InputError: nothing is said, and adapters were trained with different prompts; or a record
            is damaged.
    """
    if instruction.template:
        return instruction
    prompts: dict[str, Path] = {}
    for adapter in adapters:
        prompts.setdefault(trained_prompt(adapter), adapter)
    if len(prompts) > 1:
        (one, first), (other, second), *_ = prompts.items()
        raise InputError(
            f"{first} and {second} were trained with different prompts ({one!r} and {other!r}); "
            "give one for both with --prompt, or run each alone"
        )
    return replace(instruction, template=next(iter(prompts), ""))


def trained_prompt(folder: Path) -> str:
    """Return the prompt that an adapter, or a model with one merged into it, was trained with.

    Raises:
        InputError: the record is damaged.
    """
    path = folder / INSTRUCTION_FILE
    if not path.is_file():
        return ""
    from shared.corpus import read_json  # noqa: PLC0415 (as above)

    prompt = read_json(path).get("prompt")
    if not isinstance(prompt, str) or PLACE not in prompt:
        raise InputError(f"{path}: has no prompt with {PLACE}; train the adapter again")
    return prompt
