"""A BLIP of the original architecture with random weights, and a vocabulary learned for it."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import BertWordPieceTokenizer
from transformers import (
    BertTokenizerFast,
    BlipConfig,
    BlipForQuestionAnswering,
    BlipImageProcessorPil,
    BlipProcessor,
)

from shared.vqa.blip.forward import heed_question_mask
from trainer.pretraining.recipe import Shape

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]")


def train_tokenizer(texts: Sequence[str], shape: Shape) -> BertTokenizerFast:
    """Learn a lower-case WordPiece vocabulary, always the same from the same texts."""
    learner = BertWordPieceTokenizer(lowercase=True)
    learner.train_from_iterator(
        texts,
        vocab_size=shape.vocabulary,
        # Else the trainer numbers the letters inside words in the order of a hash map, which is
        # another each time, and of two pairs as frequent takes the one with the lower number.
        special_tokens=[*SPECIAL_TOKENS, *_letters_inside_words(learner, texts)],
        show_progress=False,
    )
    return BertTokenizerFast(
        vocab=learner.get_vocab(),
        do_lower_case=True,
        bos_token="[DEC]",  # noqa: S106
        model_max_length=shape.max_text_tokens,
    )


def _letters_inside_words(learner: BertWordPieceTokenizer, texts: Sequence[str]) -> list[str]:
    """Return the word pieces of one letter that do not begin a word, in order."""
    letters: set[str] = set()
    for text in texts:
        normal = learner.normalizer.normalize_str(text)
        for word, _ in learner.pre_tokenizer.pre_tokenize_str(normal):
            letters.update(word[1:])
    return [f"##{letter}" for letter in sorted(letters)]


def new_model(shape: Shape, tokenizer: BertTokenizerFast) -> BlipForQuestionAnswering:
    """Make ``BlipForQuestionAnswering`` with random weights."""
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": shape.width,
        "intermediate_size": 4 * shape.width,
        "projection_dim": shape.width,
        "num_hidden_layers": shape.question_layers,
        "num_attention_heads": shape.heads,
        "max_position_embeddings": shape.max_text_tokens,
        "hidden_dropout_prob": shape.dropout,
        "attention_probs_dropout_prob": shape.dropout,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.sep_token_id,
        "sep_token_id": tokenizer.sep_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {
        "hidden_size": shape.width,
        "intermediate_size": 4 * shape.width,
        "projection_dim": shape.width,
        "num_hidden_layers": shape.vision_layers,
        "num_attention_heads": shape.heads,
        "image_size": shape.image_size,
        "patch_size": shape.patch_size,
        # The default of 1e-10 makes a model that cannot see.
        "initializer_range": 0.02,
    }
    config = BlipConfig(text_config=text, vision_config=vision, projection_dim=shape.width)
    model = BlipForQuestionAnswering(config)
    heed_question_mask(model)
    return model


def new_processor(shape: Shape, tokenizer: BertTokenizerFast) -> BlipProcessor:
    """Make the processor that belongs to ``new_model``."""
    size = {"height": shape.image_size, "width": shape.image_size}
    return BlipProcessor(BlipImageProcessorPil(size=size), tokenizer)
