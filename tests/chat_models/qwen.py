"""Tiny Qwen-VL models, whose positions follow the picture's shape."""

from __future__ import annotations

from pathlib import Path

from transformers import (
    GPT2TokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

from tests.chat_models.saving import byte_tokenizer, chat_template, language, save

SPECIAL = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "vision_start_token": "<|vision_start|>",
    "vision_end_token": "<|vision_end|>",
}
ROPE = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}
TOWER = {"depth": 2, "num_heads": 2}
SIZES_14 = {"min_pixels": 28 * 28, "max_pixels": 56 * 56}
SIZES_16 = {
    "size": {"shortest_edge": 32 * 32, "longest_edge": 64 * 64},
    "patch_size": 16,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
TEMPLATE = chat_template("<|vision_start|><|image_pad|><|vision_end|>")


def save_qwen2_vl(folder: Path) -> Path:
    """Qwen2-VL."""
    tokenizer = byte_tokenizer(SPECIAL)
    images, videos = Qwen2VLImageProcessor(**SIZES_14), Qwen2VLVideoProcessor(**SIZES_14)
    processor = Qwen2VLProcessor(images, tokenizer, videos, chat_template=TEMPLATE)
    config = Qwen2VLConfig(
        text_config=language(tokenizer, rope_parameters=ROPE),
        vision_config={**TOWER, "embed_dim": 32, "hidden_size": 32, "mlp_ratio": 2},
        **_ids(tokenizer),
    )
    return save(Qwen2VLForConditionalGeneration(config), processor, folder)


def save_qwen2_5_vl(folder: Path) -> Path:
    """Qwen2.5-VL, with windows in its tower."""
    tokenizer = byte_tokenizer(SPECIAL)
    images, videos = Qwen2VLImageProcessor(**SIZES_14), Qwen2VLVideoProcessor(**SIZES_14)
    processor = Qwen2_5_VLProcessor(images, tokenizer, videos, chat_template=TEMPLATE)
    tower = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "out_hidden_size": 32,
        "fullatt_block_indexes": [1],
    }
    config = Qwen2_5_VLConfig(
        text_config=language(tokenizer, rope_parameters=ROPE),
        vision_config={**TOWER, **tower},
        **_ids(tokenizer),
    )
    return save(Qwen2_5_VLForConditionalGeneration(config), processor, folder)


def save_qwen3_vl(folder: Path) -> Path:
    """Qwen3-VL, whose tower speaks into the first layers of the language model too."""
    tokenizer = byte_tokenizer(SPECIAL)
    config = Qwen3VLConfig(
        text_config=language(tokenizer, head_dim=16, rope_parameters=ROPE),
        vision_config={
            **TOWER,
            "hidden_size": 32,
            "intermediate_size": 64,
            "out_hidden_size": 32,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        **_ids(tokenizer),
    )
    return save(Qwen3VLForConditionalGeneration(config), _processor_16(tokenizer), folder)


def save_qwen3_5(folder: Path) -> Path:
    """Qwen3.5, of whose layers most read what came before as a running sum (linear attention)."""
    tokenizer = byte_tokenizer(SPECIAL)
    linear = {
        "linear_key_head_dim": 8,
        "linear_value_head_dim": 8,
        "linear_num_key_heads": 2,
        "linear_num_value_heads": 2,
        "layer_types": ["linear_attention", "full_attention"],
    }
    rope = {**ROPE, "mrope_interleaved": True, "partial_rotary_factor": 1.0}
    config = Qwen3_5Config(
        text_config=language(tokenizer, head_dim=16, rope_parameters=rope, **linear),
        vision_config={
            **TOWER,
            "hidden_size": 32,
            "intermediate_size": 64,
            "out_hidden_size": 32,
            "num_position_embeddings": 16,
        },
        **_ids(tokenizer),
    )
    return save(Qwen3_5ForConditionalGeneration(config), _processor_16(tokenizer), folder)


def _processor_16(tokenizer: GPT2TokenizerFast) -> Qwen3VLProcessor:
    images, videos = Qwen2VLImageProcessor(**SIZES_16), Qwen3VLVideoProcessor(**SIZES_16)
    return Qwen3VLProcessor(images, tokenizer, videos, chat_template=TEMPLATE)


def _ids(tokenizer: GPT2TokenizerFast) -> dict[str, object]:
    names = {
        "image_token_id": "image_token",
        "video_token_id": "video_token",
        "vision_start_token_id": "vision_start_token",
        "vision_end_token_id": "vision_end_token",
    }
    ids = {name: tokenizer.convert_tokens_to_ids(SPECIAL[key]) for name, key in names.items()}
    return {**ids, "tie_word_embeddings": False}
