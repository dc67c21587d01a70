"""A model from scratch, and what every new model must have."""

import numpy as np
import torch

from shared.vqa.blip.config import token_ids
from shared.vqa.blip.forward import answer_logits
from shared.vqa.blip.text import pad_right
from tests.models import SHAPE
from trainer.pretraining.scratch import SPECIAL_TOKENS, new_model, new_processor, train_tokenizer

TEXTS = ["what color is the shoe", "red", "how many legs has the table", "four"] * 3


def make():
    torch.manual_seed(0)
    tokenizer = train_tokenizer(TEXTS, SHAPE)
    return tokenizer, new_model(SHAPE, tokenizer).eval()


def test_the_vocabulary_has_blips_special_tokens_and_knows_the_words():
    tokenizer, model = make()
    assert tokenizer.tokenize("RED") == ["red"]
    assert set(SPECIAL_TOKENS) <= set(tokenizer.get_vocab())
    ids = token_ids(model.config)
    assert tokenizer.convert_ids_to_tokens([ids.start, ids.end, ids.pad]) == [
        "[DEC]",
        "[SEP]",
        "[PAD]",
    ]
    assert tokenizer("red")["input_ids"][-1] == ids.end


def test_the_same_texts_make_the_same_vocabulary():
    random = np.random.default_rng(0)
    # Many pairs of letters are as frequent as others.
    texts = ["".join(random.choice(list("abcdefghij klmnop"), 30)) for _ in range(60)]
    shape = SHAPE.model_copy(update={"vocabulary": 150})
    first, *others = (train_tokenizer(texts, shape).get_vocab() for _ in range(4))
    assert len(first) == 150
    assert others == [first] * 3


def test_a_new_model_sees():
    """BLIP's own default for the vision tower draws weights so small that images look the same."""
    _, model = make()
    pixels = torch.randn(2, 3, SHAPE.image_size, SHAPE.image_size)
    with torch.no_grad():
        left, right = model.vision_model(pixel_values=pixels).last_hidden_state
    assert float((left - right).abs().max()) > 0.1


@torch.no_grad()
def test_padding_of_a_question_does_not_reach_the_answer_while_training():
    _, model = make()
    for weight in model.parameters():
        weight.normal_(0, 0.15)
    ids = token_ids(model.config)
    short, both = pad_right([[2, 9, 3]], ids.pad), pad_right([[2, 9, 3], [2, *[8] * 9, 3]], ids.pad)
    begun = pad_right([[ids.start, 7]] * 2, ids.pad)
    states = torch.randn(2, both.ids_BT.shape[1], SHAPE.width)
    alone = answer_logits(model, states[:1, :3], short, pad_right([[ids.start, 7]], ids.pad))
    padded = answer_logits(model, states, both, begun)
    assert torch.allclose(alone[0], padded[0], atol=1e-4)


def test_the_processor_gives_what_the_model_takes():
    tokenizer, model = make()
    processor = new_processor(SHAPE, tokenizer)
    assert processor.tokenizer is tokenizer
    assert processor.image_processor.size == {"height": 32, "width": 32}
    assert model.config.vision_config.image_size == 32
