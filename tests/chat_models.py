"""Small real chat models with random weights, their real processors, and templates of our own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPImageProcessor,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessor,
    Gemma3Processor,
    GPT2TokenizerFast,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessor,
    SmolVLMProcessor,
    SmolVLMVideoProcessor,
)

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
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": False,
}
TEMPLATE = (
    "{{% for message in messages %}}<u>{{% for part in message.content %}}"
    "{{% if part.type == 'image' %}}{image}{{% else %}}{{{{ part.text }}}}{{% endif %}}"
    "{{% endfor %}}\n{{% endfor %}}{{% if add_generation_prompt %}}<a>{{% endif %}}"
)


def save_gemma3(folder: Path) -> Path:
    """Gemma 3, whose image tokens see each other where `token_type_ids` say so."""
    special = {"boi_token": "<boi>", "eoi_token": "<eoi>", "image_token": "<img>"}
    tokenizer = _tokenizer(special)
    images = Gemma3ImageProcessor(size={"height": SIDE, "width": SIDE})
    template = "<s>" + TEMPLATE.format(image="<boi>")
    processor = Gemma3Processor(images, tokenizer, chat_template=template, image_seq_length=4)
    config = Gemma3Config(
        text_config=_language(tokenizer, head_dim=16, sliding_window=512),
        vision_config={"model_type": "siglip_vision_model", **TOWER},
        mm_tokens_per_image=4,
        tie_word_embeddings=False,
        boi_token_index=tokenizer.convert_tokens_to_ids("<boi>"),
        eoi_token_index=tokenizer.convert_tokens_to_ids("<eoi>"),
        image_token_index=tokenizer.convert_tokens_to_ids("<img>"),
    )
    return _save(Gemma3ForConditionalGeneration(config), processor, folder)


def save_qwen2_5_vl(folder: Path) -> Path:
    """Qwen2.5-VL, whose positions follow the picture's shape."""
    special = {
        "image_token": "<|image_pad|>",
        "video_token": "<|video_pad|>",
        "vision_start_token": "<|vision_start|>",
        "vision_end_token": "<|vision_end|>",
    }
    tokenizer = _tokenizer(special)
    sizes = {"min_pixels": 28 * 28, "max_pixels": 56 * 56}
    image = "<|vision_start|><|image_pad|><|vision_end|>"
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(**sizes),
        tokenizer,
        Qwen2VLVideoProcessor(**sizes),
        chat_template=TEMPLATE.format(image=image),
    )
    ids = tokenizer.convert_tokens_to_ids
    scaling = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}
    config = Qwen2_5_VLConfig(
        text_config=_language(tokenizer, rope_scaling=scaling),
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "num_heads": 2,
            "intermediate_size": 64,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [1],
        },
        image_token_id=ids("<|image_pad|>"),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
    )
    return _save(Qwen2_5_VLForConditionalGeneration(config), processor, folder)


def save_smolvlm(folder: Path) -> Path:
    """SmolVLM, which cuts a picture into tiles."""
    special = {
        "image_token": "<image>",
        "fake_image_token": "<fake_token_around_image>",
        "global_image_token": "<global-img>",
        "end_of_utterance_token": "<end_of_utterance>",
    }
    tokenizer = _tokenizer(special)
    sizes = {"size": {"longest_edge": 2 * SIDE}, "max_image_size": {"longest_edge": SIDE}}
    processor = SmolVLMProcessor(
        SmolVLMImageProcessor(**sizes),
        tokenizer,
        SmolVLMVideoProcessor(
            **sizes,
            video_sampling={"video_size": {"longest_edge": SIDE}, "max_frames": 2, "fps": 1},
        ),
        image_seq_len=4,
        chat_template=TEMPLATE.format(image="<image>"),
    )
    config = SmolVLMConfig(
        text_config={"model_type": "llama", **_language(tokenizer)},
        vision_config=TOWER,
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
    )
    return _save(SmolVLMForConditionalGeneration(config), processor, folder)


def save_llava(folder: Path, *, template: bool = True) -> Path:
    """LLaVA; without a template its prompt must have the image's place."""
    tokenizer = _tokenizer({"image_token": "<image>"})
    processor = LlavaProcessor(
        CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}),
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE.format(image="<image>") if template else None,
    )
    config = LlavaConfig(
        text_config={"model_type": "llama", **_language(tokenizer)},
        vision_config={"model_type": "clip_vision_model", "projection_dim": 32, **TOWER},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    return _save(LlavaForConditionalGeneration(config), processor, folder)


CHAT_MODELS: dict[str, Callable[[Path], Path]] = {
    "gemma3": save_gemma3,
    "qwen2_5_vl": save_qwen2_5_vl,
    "smolvlm": save_smolvlm,
    "llava": save_llava,
}


def _tokenizer(special: dict[str, str]) -> GPT2TokenizerFast:
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


def _language(tokenizer: GPT2TokenizerFast, **more: object) -> dict[str, object]:
    ids = {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        # Random weights say "e" early, so that answers have different lengths.
        "eos_token_id": tokenizer.convert_tokens_to_ids("e"),
        "pad_token_id": tokenizer.pad_token_id,
    }
    return {**LANGUAGE, **ids, **more}


def _save(network: PreTrainedModel, processor: object, folder: Path) -> Path:
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
