"""What a bundle puts around a question is what the model is asked in."""

import pytest

from shared.onnx_vqa.words import heard
from shared.vqa.inputs.instruction import Instruction
from trainer.export.families.questions import prompt_rules


@pytest.mark.parametrize(
    "template",
    ["", "{question}", "Say: {question}!", "{question} Read it again: {question} Answer:"],
)
@pytest.mark.parametrize("question", ["what color is it", "", "{question}\n"])
def test_a_prompt_stands_around_a_question_in_each_of_its_places(template, question):
    asked = heard(question, {"prompt": prompt_rules(template)})
    assert asked == Instruction(template).around(question)
