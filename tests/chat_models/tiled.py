"""Tiny models that cut a picture into tiles."""

from __future__ import annotations

from pathlib import Path

from transformers import (
    GotOcr2ImageProcessor,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessor,
    Idefics3Processor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    InternVLVideoProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessor,
    LlavaOnevisionProcessor,
    LlavaOnevisionVideoProcessor,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessor,
    SmolVLMProcessor,
    SmolVLMVideoProcessor,
)

from tests.chat_models.saving import (
    PATCH,
    SIDE,
    TOWER,
    byte_tokenizer,
    chat_template,
    language,
    save,
)

TILES = {"size": {"longest_edge": 2 * SIDE}, "max_image_size": {"longest_edge": SIDE}}
SPECIAL = {
    "image_token": "<image>",
    "fake_image_token": "<fake_token_around_image>",
    "global_image_token": "<global-img>",
    "end_of_utterance_token": "<end_of_utterance>",
}


def save_smolvlm(folder: Path) -> Path:
    """SmolVLM."""
    tokenizer = byte_tokenizer(SPECIAL)
    sampling = {"video_size": {"longest_edge": SIDE}, "max_frames": 2, "fps": 1}
    processor = SmolVLMProcessor(
        SmolVLMImageProcessor(**TILES),
        tokenizer,
        SmolVLMVideoProcessor(**TILES, video_sampling=sampling),
        image_seq_len=4,
        chat_template=chat_template("<image>"),
    )
    config = SmolVLMConfig(
        text_config={"model_type": "llama", **language(tokenizer)},
        vision_config=TOWER,
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
    )
    return save(SmolVLMForConditionalGeneration(config), processor, folder)


def save_idefics3(folder: Path) -> Path:
    """Idefics3, which SmolVLM came from."""
    tokenizer = byte_tokenizer(SPECIAL)
    processor = Idefics3Processor(
        Idefics3ImageProcessor(**TILES),
        tokenizer,
        image_seq_len=4,
        chat_template=chat_template("<image>"),
    )
    config = Idefics3Config(
        text_config={"model_type": "llama", **language(tokenizer)},
        vision_config=TOWER,
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
    )
    return save(Idefics3ForConditionalGeneration(config), processor, folder)


def save_internvl(folder: Path) -> Path:
    """InternVL, with up to four tiles."""
    names = ("start_image", "end_image", "context_image", "video")
    pieces = ("<img>", "</img>", "<IMG_CONTEXT>", "<video>")
    tokenizer = byte_tokenizer(
        {f"{name}_token": piece for name, piece in zip(names, pieces, strict=True)}
    )
    sizes = {"size": {"height": SIDE, "width": SIDE}}
    processor = InternVLProcessor(
        GotOcr2ImageProcessor(
            **sizes, crop_to_patches=True, min_patches=1, max_patches=4, do_convert_rgb=True
        ),
        tokenizer,
        InternVLVideoProcessor(**sizes),
        image_seq_length=4,
        chat_template=chat_template("<IMG_CONTEXT>"),
    )
    config = InternVLConfig(
        text_config={"model_type": "qwen2", **language(tokenizer)},
        vision_config={**TOWER, "image_size": [SIDE, SIDE], "patch_size": [PATCH, PATCH]},
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
        tie_word_embeddings=False,
    )
    return save(InternVLForConditionalGeneration(config), processor, folder)


def save_llava_onevision(folder: Path) -> Path:
    """LLaVA-OneVision, whose tiles follow the picture's shape."""
    tokenizer = byte_tokenizer({"image_token": "<image>", "video_token": "<video>"})
    grid = [[SIDE, SIDE], [SIDE, 2 * SIDE], [2 * SIDE, SIDE], [2 * SIDE, 2 * SIDE]]
    sizes = {"size": {"height": SIDE, "width": SIDE}}
    processor = LlavaOnevisionProcessor(
        LlavaOnevisionImageProcessor(**sizes, image_grid_pinpoints=grid),
        tokenizer,
        LlavaOnevisionVideoProcessor(**sizes),
        num_image_tokens=(SIDE // PATCH) ** 2,
        vision_feature_select_strategy="full",
        chat_template=chat_template("<image>"),
    )
    config = LlavaOnevisionConfig(
        text_config={"model_type": "qwen2", **language(tokenizer)},
        vision_config={"model_type": "siglip_vision_model", "vision_use_head": False, **TOWER},
        image_grid_pinpoints=grid,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
    )
    return save(LlavaOnevisionForConditionalGeneration(config), processor, folder)
