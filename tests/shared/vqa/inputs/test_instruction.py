"""What a question is put into: by default, as said, and as an adapter was trained."""

import json

import pytest

from shared.errors import InputError
from shared.vqa.inputs.instruction import (
    INSTRUCTION_FILE,
    NO_INSTRUCTION,
    PLACE,
    Instruction,
    default_prompt,
    default_prompts,
    instruction_of_adapters,
    write_instruction,
)


def test_every_default_has_a_place_for_the_question():
    assert all(PLACE in prompt for prompt in default_prompts().values())
    assert default_prompt("paligemma") != default_prompt("a model of tomorrow")


def adapter(folder, prompt):
    folder.mkdir()
    write_instruction(Instruction(prompt), folder)
    return folder


def test_adapters_are_asked_as_they_were_trained(tmp_path):
    one = adapter(tmp_path / "one", "Say: {question}")
    assert instruction_of_adapters(NO_INSTRUCTION, [one]).template == "Say: {question}"
    assert instruction_of_adapters(Instruction("{question}!", 3), [one]) == Instruction(
        "{question}!", 3
    )
    assert instruction_of_adapters(NO_INSTRUCTION, []) == NO_INSTRUCTION


def test_adapters_with_different_prompts_do_not_go_together(tmp_path):
    one, other = adapter(tmp_path / "one", "Say: {question}"), adapter(tmp_path / "other", "")
    with pytest.raises(InputError, match=r"one and .*other were trained with different prompts"):
        instruction_of_adapters(NO_INSTRUCTION, [one, other])


def test_a_damaged_record_is_bad_input(tmp_path):
    one = adapter(tmp_path / "one", "Say: {question}")
    (one / INSTRUCTION_FILE).write_text(json.dumps({"prompt": "Say"}))
    with pytest.raises(InputError, match=r"has no prompt with \{question\}"):
        instruction_of_adapters(NO_INSTRUCTION, [one])


def test_no_prompt_leaves_no_record(tmp_path):
    one = adapter(tmp_path / "one", "Say: {question}")
    write_instruction(NO_INSTRUCTION, one)
    assert not (one / INSTRUCTION_FILE).exists()
