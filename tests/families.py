"""Small real models of the other families, with random weights and their real processors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    AutoImageProcessor,
    AutoProcessor,
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    BlipImageProcessorPil,
    CLIPImageProcessorPil,
    GitConfig,
    GitForCausalLM,
    GitProcessor,
    GPT2TokenizerFast,
    OPTConfig,
    PreTrainedModel,
    ProcessorMixin,
    T5Config,
    T5TokenizerFast,
    ViltConfig,
    ViltForQuestionAnswering,
    ViltImageProcessorPil,
    ViltProcessor,
)

from tests.models import ANSWERS, WEIGHT_STD, word_tokenizer

IMAGE_SIDE, PATCH = 32, 8
QUERIES = 4
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


def processor_of(folder: Path) -> ProcessorMixin:
    """Return a saved model's processor; with torchvision at hand, its own has other pixels."""
    processor = AutoProcessor.from_pretrained(folder)
    processor.image_processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    return processor


def save_vilt(folder: Path) -> Path:
    """ViLT that chooses among ``ANSWERS``; images keep their shape."""
    tokenizer = word_tokenizer()
    config = ViltConfig(
        **SMALL,
        intermediate_size=64,
        vocab_size=len(tokenizer),
        image_size=IMAGE_SIDE,
        patch_size=PATCH,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        id2label=dict(enumerate(ANSWERS)),
        label2id={answer: index for index, answer in enumerate(ANSWERS)},
    )
    images = ViltImageProcessorPil(size={"shortest_edge": IMAGE_SIDE}, size_divisor=PATCH)
    return _save(ViltForQuestionAnswering(config), ViltProcessor(images, tokenizer), folder)


def save_blip2_opt(folder: Path, end: str = "e") -> Path:
    """BLIP-2 with a decoder as its language model, which stops at ``end``.

    Random weights say "e" early; to be trained, a model must end where no word does.
    """
    tokenizer = _byte_tokenizer()
    processor = _blip2_processor(tokenizer)
    text = OPTConfig(
        **SMALL,
        ffn_dim=64,
        word_embed_proj_dim=32,
        vocab_size=len(tokenizer),
        max_position_embeddings=256,
        dropout=0.0,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.convert_tokens_to_ids(end),
        pad_token_id=tokenizer.pad_token_id,
    )
    return _save_blip2(text, processor, folder)


def save_blip2_t5(folder: Path, end: str = "e") -> Path:
    """BLIP-2 with an encoder-decoder as its language model, which stops at ``end``."""
    tokenizer = _sentence_tokenizer()
    processor = _blip2_processor(tokenizer)
    text = T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=16,
        d_ff=64,
        num_layers=2,
        num_heads=2,
        dropout_rate=0.0,
        decoder_start_token_id=tokenizer.pad_token_id,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.convert_tokens_to_ids(end),
        tie_word_embeddings=False,
    )
    return _save_blip2(text, processor, folder)


def save_git(folder: Path) -> Path:
    """GIT, which transformers knows and we do not."""
    tokenizer = word_tokenizer()
    config = GitConfig(
        **SMALL,
        intermediate_size=64,
        vocab_size=len(tokenizer),
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
        pad_token_id=tokenizer.pad_token_id,
        vision_config={
            **SMALL,
            "intermediate_size": 64,
            "image_size": IMAGE_SIDE,
            "patch_size": PATCH,
        },
    )
    images = CLIPImageProcessorPil(
        size={"shortest_edge": IMAGE_SIDE},
        crop_size={"height": IMAGE_SIDE, "width": IMAGE_SIDE},
    )
    return _save(GitForCausalLM(config), GitProcessor(images, tokenizer), folder)


SAVED: dict[str, Callable[[Path], Path]] = {
    "vilt": save_vilt,
    "blip2-opt": save_blip2_opt,
    "blip2-t5": save_blip2_t5,
    "git": save_git,
}


def _blip2_processor(tokenizer: object) -> Blip2Processor:
    """Return the processor, which adds the image's token to the tokenizer."""
    images = BlipImageProcessorPil(size={"height": IMAGE_SIDE, "width": IMAGE_SIDE})
    return Blip2Processor(images, tokenizer, num_query_tokens=QUERIES)


def _save_blip2(text: object, processor: Blip2Processor, folder: Path) -> Path:
    vision = Blip2VisionConfig(
        **SMALL, intermediate_size=64, image_size=IMAGE_SIDE, patch_size=PATCH
    )
    queries = Blip2QFormerConfig(
        **SMALL,
        intermediate_size=64,
        encoder_hidden_size=32,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        vocab_size=16,
    )
    config = Blip2Config(
        vision_config=vision.to_dict(),
        qformer_config=queries.to_dict(),
        text_config=text.to_dict(),
        num_query_tokens=QUERIES,
        image_token_index=processor.tokenizer.convert_tokens_to_ids("<image>"),
    )
    return _save(Blip2ForConditionalGeneration(config), processor, folder)


def _save(network: PreTrainedModel, processor: object, folder: Path, seed: int = 6) -> Path:
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            # Wider than at the start of training, or every image gets the same answer.
            if weight.ndim > 1:
                weight.normal_(0, 2 * WEIGHT_STD)
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _byte_tokenizer() -> GPT2TokenizerFast:
    pieces = ["</s>", "<pad>", *sorted(ByteLevel.alphabet())]
    return GPT2TokenizerFast(
        vocab={piece: number for number, piece in enumerate(pieces)},
        merges=[],
        bos_token="</s>",
        eos_token="</s>",
        unk_token="</s>",
        pad_token="<pad>",
        add_bos_token=True,
    )


def _sentence_tokenizer() -> T5TokenizerFast:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    pieces = ["<pad>", "</s>", "<unk>", "\u2581", *letters, *"QSA:"]
    return T5TokenizerFast(
        vocab=[(piece, -float(number)) for number, piece in enumerate(pieces)],
        extra_ids=0,
    )
