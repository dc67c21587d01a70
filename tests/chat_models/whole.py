"""Tiny models that read a picture in one piece of a fixed size."""

from __future__ import annotations

from pathlib import Path

from transformers import (
    BartConfig,
    CLIPImageProcessor,
    Florence2Config,
    Florence2ForConditionalGeneration,
    Florence2Processor,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessor,
    Gemma3Processor,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
    PaliGemmaProcessor,
    SiglipImageProcessor,
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


def save_gemma3(folder: Path, *, window: int = 512) -> Path:
    """Gemma 3, whose image tokens see each other where `token_type_ids` say so."""
    special = {"boi_token": "<boi>", "eoi_token": "<eoi>", "image_token": "<img>"}
    tokenizer = byte_tokenizer(special)
    images = Gemma3ImageProcessor(size={"height": SIDE, "width": SIDE})
    template = "<s>" + chat_template("<boi>")
    processor = Gemma3Processor(images, tokenizer, chat_template=template, image_seq_length=4)
    layers = ["sliding_attention", "full_attention"]
    config = Gemma3Config(
        text_config=language(tokenizer, head_dim=16, sliding_window=window, layer_types=layers),
        vision_config={"model_type": "siglip_vision_model", **TOWER},
        mm_tokens_per_image=4,
        tie_word_embeddings=False,
        boi_token_index=tokenizer.convert_tokens_to_ids("<boi>"),
        eoi_token_index=tokenizer.convert_tokens_to_ids("<eoi>"),
        image_token_index=tokenizer.convert_tokens_to_ids("<img>"),
    )
    return save(Gemma3ForConditionalGeneration(config), processor, folder)


def save_llava(folder: Path, *, template: bool = True) -> Path:
    """LLaVA; without a template its prompt must have the image's place."""
    tokenizer = byte_tokenizer({"image_token": "<image>"})
    processor = LlavaProcessor(
        CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}),
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=chat_template("<image>") if template else None,
    )
    config = LlavaConfig(
        text_config={"model_type": "llama", **language(tokenizer)},
        vision_config={"model_type": "clip_vision_model", "projection_dim": 32, **TOWER},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    return save(LlavaForConditionalGeneration(config), processor, folder)


def save_paligemma2(folder: Path) -> Path:
    """PaliGemma 2, whose picture and prompt see each other; it has no chat template."""
    tokenizer = byte_tokenizer({"image_token": "<image>"})
    images = SiglipImageProcessor(size={"height": SIDE, "width": SIDE})
    images.image_seq_length = (SIDE // PATCH) ** 2
    processor = PaliGemmaProcessor(images, tokenizer)
    # The processor adds its own tokens, for places and shapes, to the tokenizer.
    text = language(tokenizer, head_dim=16, query_pre_attn_scalar=16)
    config = PaliGemmaConfig(
        text_config={"model_type": "gemma2", **text},
        vision_config={
            "model_type": "siglip_vision_model",
            "vision_use_head": False,
            "projection_dim": 32,
            **TOWER,
        },
        projection_dim=32,
        tie_word_embeddings=False,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    return save(PaliGemmaForConditionalGeneration(config), processor, folder)


def save_florence2(folder: Path) -> Path:
    """Florence-2, an encoder-decoder; its processor puts the picture before every prompt."""
    tokenizer = byte_tokenizer({"image_token": "<image>"})
    images = CLIPImageProcessor(
        size={"height": 2 * SIDE, "width": 2 * SIDE}, do_center_crop=False, do_resize=True
    )
    images.image_seq_length = 5
    ids = language(tokenizer)
    text = BartConfig(
        vocab_size=len(tokenizer),
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_position_embeddings=1024,
        decoder_start_token_id=tokenizer.bos_token_id,
        forced_eos_token_id=None,
        dropout=0.0,
        **{name: ids[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")},
    )
    sizes = [8, 8, 16, 32]
    config = Florence2Config(
        text_config=text.to_dict(),
        vision_config={
            "depths": [1, 1, 1, 1],
            "embed_dim": sizes,
            "num_heads": [1, 1, 2, 2],
            "num_groups": [1, 1, 2, 2],
            "window_size": 4,
            "projection_dim": 32,
            "drop_path_rate": 0.0,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        tie_word_embeddings=True,
    )
    processor = Florence2Processor(images, tokenizer)
    return save(Florence2ForConditionalGeneration(config), processor, folder)
