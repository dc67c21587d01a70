"""What the tiny chat models share: sizes, a tokenizer of bytes, a template, and random weights."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import GPT2TokenizerFast, PreTrainedModel

from tests.models import WEIGHT_STD

SEED = 8
SIDE, PATCH = 32, 8
TOWER = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": SIDE,
    "patch_size": PATCH,
}
LANGUAGE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 64,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": False,
}
TEMPLATE = (
    "{{% for message in messages %}}<u>{{% for part in message.content %}}"
    "{{% if part.type == 'image' %}}{image}{{% else %}}{{{{ part.text }}}}{{% endif %}}"
    "{{% endfor %}}\n{{% endfor %}}{{% if add_generation_prompt %}}<a>{{% endif %}}"
)


def chat_template(image: str) -> str:
    """Return a chat template that puts ``image`` where a picture stands."""
    return TEMPLATE.format(image=image)


def byte_tokenizer(special: dict[str, str]) -> GPT2TokenizerFast:
    """Return a tokenizer with a token for each byte, and the special ones by their names."""
    pieces = ["</s>", "<pad>", "<s>", "<u>", "<a>", *sorted(ByteLevel.alphabet())]
    return GPT2TokenizerFast(
        vocab={piece: number for number, piece in enumerate(pieces)},
        merges=[],
        bos_token="<s>",
        eos_token="</s>",
        unk_token="</s>",
        pad_token="<pad>",
        extra_special_tokens={**special, "user_token": "<u>", "answer_token": "<a>"},
        model_max_length=1024,
    )


def language(tokenizer: GPT2TokenizerFast, **more: object) -> dict[str, object]:
    """Return the configuration of a language model for this tokenizer."""
    ids = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        # Random weights say "e" early, so that answers have different lengths.
        "eos_token_id": tokenizer.convert_tokens_to_ids("e"),
        "pad_token_id": tokenizer.pad_token_id,
    }
    return {**LANGUAGE, **ids, **more}


def save(network: PreTrainedModel, processor: object, folder: Path) -> Path:
    """Give every weight a random value, and save network and processor."""
    torch.manual_seed(SEED)
    with torch.no_grad():
        for weight in network.parameters():
            # Wider than at the start of training, or every image gets the same answer.
            if weight.ndim > 1:
                weight.normal_(0, 2 * WEIGHT_STD)
    network.generation_config.eos_token_id = network.config.get_text_config().eos_token_id
    network.generation_config.pad_token_id = network.config.get_text_config().pad_token_id
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
