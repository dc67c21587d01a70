"""A chat model whose picture has one size: vision tower and projector, and the language model.

What the runtime asks is compared, token by token, with what the model's own processor makes of
questions; whatever it cannot make itself is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from tokenizers import Tokenizer
from transformers import PreTrainedModel, ProcessorMixin

from shared.errors import InputError
from shared.onnx_vqa.manifest import LANGUAGE
from shared.onnx_vqa.words import token_rows
from shared.vqa.chat.answerer import ChatAnswerer
from shared.vqa.chat.processor import quick_answer
from shared.vqa.chat.prompt import blank_picture
from shared.vqa.greedy import end_tokens
from shared.vqa.loading import architecture
from trainer.export.families.exportable import Exportable
from trainer.export.families.language import (
    LanguageModel,
    cache_sizes,
    language_graph,
    picture_graph,
)
from trainer.export.families.pixels import image_rules
from trainer.export.families.questions import prompt_rules, question_rules

CHAT: Final = frozenset({"LlavaForConditionalGeneration"})
"""Those that were tried. Others cut a picture into tiles, or let its tokens see each other."""
_PROBES: Final = ("What is it?", "what  color", " What is it? ", "0", "\u00c9\u8272")
_SENTINEL: Final = "QUESTIONSTANDSHERE"


def exportable_chat(answerer: ChatAnswerer) -> Exportable:
    """Return a chat model's graphs.

    Raises:
        InputError: it is none of ``CHAT``, or its pictures or prompts are not the runtime's.
    """
    model, network = answerer.model, answerer.model.network
    _require_tried(model.name, network)
    text = network.config.text_config
    embeddings = network.get_input_embeddings()
    asked = blank_picture(model.name, answerer.processor).asked(model.instruction.around("x"))
    rules = image_rules(answerer.processor.image_processor)
    _, *shape = asked["pixel_values"].shape
    ends = end_tokens(network) | {model.tokenizer.sep_token_id} - {None}
    stated = {
        "tokens": {"end": sorted(ends), "pad": model.tokenizer.pad_token_id or 0},
        "picture": {
            "before": _before(asked["input_ids"][0].tolist(), network.config.image_token_id),
            "token": network.config.image_token_id,
            "width": embeddings.embedding_dim,
        },
        "cache": list(cache_sizes(text)),
        "marks": sorted(model.picture_marks),
        "cleaning": answerer.cleaning,
        "max_new_tokens": model.instruction.longest_answer,
        "image": rules,
    }
    tower = LanguageModel(network.model.language_model, embeddings, network.lm_head)
    return Exportable(
        model,
        LANGUAGE,
        {
            "image_encoder": picture_graph(network, _tokens, tuple(shape)),
            "language_model": language_graph(tower, text, embeddings.embedding_dim),
        },
        stated | {"prompt": _prompt(answerer, stated)},
    )


def _require_tried(name: str, network: PreTrainedModel) -> None:
    named, text = architecture(network.config), network.config.text_config
    if named not in CHAT:
        raise InputError(
            f"{name}: is a {named}; of chat models {', '.join(sorted(CHAT))} is exported so far"
        )
    if getattr(text, "sliding_window", None) and getattr(text, "use_sliding_window", True):
        raise InputError(
            f"{name}: its language model sees the last {text.sliding_window} tokens alone, and "
            "what is exported sees all"
        )


def _tokens(network: PreTrainedModel, pixels_1CHW: torch.Tensor) -> torch.Tensor:
    return torch.stack(list(network.get_image_features(pixel_values=pixels_1CHW).pooler_output))


def _before(ids: Sequence[int], picture: int) -> list[int]:
    """Return a prompt's tokens up to the picture's end, -1 for each of the picture."""
    end = len(ids) - list(reversed(ids)).index(picture)
    return [-1 if token == picture else token for token in ids[:end]]


def _prompt(answerer: ChatAnswerer, stated: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stands before and after a question, so that the tokens are the processor's.

    Raises:
        InputError: its template does something else with a question than to put it somewhere.
    """
    around = prompt_rules(_asked_text(answerer, _SENTINEL), _SENTINEL)
    tokenizer = Tokenizer.from_str(answerer.model.tokenizer.backend_tokenizer.to_str())
    tokenizer.no_truncation()
    tokenizer.no_padding()
    blank = blank_picture(answerer.model.name, answerer.processor)
    wanted = [blank.tokens(text) for text in answerer.model.asked(_PROBES)]
    picture = stated["picture"]["token"]
    for strip in (False, True):
        prompt = {**around, "strip": strip}
        rules = question_rules(answerer.model.folding)
        made = token_rows(tokenizer, _PROBES, {**stated, "questions": rules, "prompt": prompt})
        if [_after(row, picture) for row in made] == [_after(row, picture) for row in wanted]:
            return prompt
    raise InputError(
        f"{answerer.model.name}: its chat template does more with a question than to put it into "
        "a text, and nothing else is exported; see its chat_template.jinja"
    )


def _after(row: Sequence[int], picture: int) -> list[int] | None:
    return list(row[len(row) - list(reversed(row)).index(picture) :]) if picture in row else None


def _asked_text(answerer: ChatAnswerer, question: str) -> str:
    text = answerer.model.instruction.around(question)
    processor: ProcessorMixin = answerer.processor
    if not getattr(processor, "chat_template", None):
        return text
    content = [{"type": "image"}, {"type": "text", "text": text}]
    rendered: str = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=False,
        **quick_answer(processor.chat_template),
    )
    return rendered
