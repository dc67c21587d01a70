"""Answers begin and end as a model's chat template has them."""

import pytest

from shared.errors import InputError
from shared.vqa.chat.processor import open_processor
from shared.vqa.loading import read_config
from tests.trainer.learners.chat.models import END, trainable
from trainer.learners.chat.answers import spoken_answer

PROMPT = "{% for m in messages %}<u>{% if m.role == 'user' %}<image>{{ m.content[1].text }}\n"
SPACED = (
    PROMPT + "{% else %}<a> {{ m.content[0].text }}</s>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<u><a>{% endif %}"
)
ENDLESS = SPACED.replace("</s>", "")
OF_QUESTIONS_ALONE = PROMPT + "{% else %}{{ raise_exception('no answers') }}{% endif %}{% endfor %}"


@pytest.fixture(scope="module")
def processor():
    folder = str(trainable("llava"))
    return open_processor(folder, read_config(folder))


def said(processor, answer, *, longest=128, ends=(END,)):
    ids = processor.tokenizer.convert_tokens_to_ids(list(ends))
    spoken = spoken_answer(processor, frozenset(ids), "model")
    tokens = spoken.tokens(processor.tokenizer, answer, longest)
    return processor.tokenizer.convert_ids_to_tokens(tokens)


@pytest.mark.parametrize(
    ("template", "tokens"),
    [
        (SPACED, ["Ġ", "n", "o", END]),
        (ENDLESS, ["Ġ", "n", "o", END]),
        (OF_QUESTIONS_ALONE, ["n", "o", END]),
        (None, ["n", "o", END]),
    ],
)
def test_an_answer_is_said_as_the_template_has_it(processor, template, tokens):
    own, processor.chat_template = processor.chat_template, template
    try:
        assert said(processor, "no") == tokens
    finally:
        processor.chat_template = own


def test_a_long_answer_is_cut_and_still_ends(processor):
    assert said(processor, "nonono", longest=3) == ["n", "o", END]


def test_the_tokenizers_own_end_is_taken_where_the_template_has_none(processor):
    assert said(processor, "no", ends=("<u>", END))[-1] == END
    assert said(processor, "no", ends=("<u>", "<a>"))[-1] == "<u>"


def test_a_model_without_an_end_is_refused(processor):
    with pytest.raises(InputError, match="eos_token_id"):
        said(processor, "no", ends=())
