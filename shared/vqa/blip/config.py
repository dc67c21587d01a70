"""Facts of one BLIP checkpoint that its users need: token ids and sizes."""

from __future__ import annotations

from transformers import BlipConfig

from shared.value_class import value_class


@value_class
class TokenIds:
    """Special token ids: the decoder starts with ``start`` and stops at ``end``."""

    start: int
    end: int
    pad: int


def token_ids(config: BlipConfig) -> TokenIds:
    """Return the ids that ``BlipForQuestionAnswering.generate`` uses for this configuration."""
    text = config.text_config
    return TokenIds(start=text.bos_token_id, end=text.sep_token_id, pad=text.pad_token_id)


def image_size(config: BlipConfig) -> int:
    """Return the side of the square input, in pixels."""
    return int(config.vision_config.image_size)
