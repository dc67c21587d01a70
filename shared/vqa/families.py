"""Which answerer serves which architecture, and loading one.

What is not named here but known to transformers for questions about images is answered as a chat
model, which keeps of a picture what it is able to. Where that is nothing, its own ``generate``
answers; a warning and the run's provenance say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch
import transformers
from transformers import (
    AutoImageProcessor,
    BaseImageProcessor,
    BlipImageProcessorPil,
    PretrainedConfig,
    ViltImageProcessorPil,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    MODEL_FOR_VISUAL_QUESTION_ANSWERING_MAPPING_NAMES,
)

from shared.errors import InputError
from shared.program.reporting.event_log import EventLog
from shared.questions.folding import AS_IT_COMES, ASKED, QuestionFolding
from shared.value_class import value_class
from shared.vqa.answerer import Answerer
from shared.vqa.blip.answerer import BlipAnswerer
from shared.vqa.blip2 import Blip2Answerer
from shared.vqa.chat.abilities import has_picture_tokens
from shared.vqa.chat.answerer import ChatAnswerer
from shared.vqa.chat.processor import open_processor
from shared.vqa.chat.prompt import require_picture
from shared.vqa.inputs.instruction import (
    INSTRUCTION_FILE,
    NO_INSTRUCTION,
    Instruction,
    default_prompt,
    instruction_of_adapters,
    trained_prompt,
)
from shared.vqa.inputs.question_length import (
    MAX_QUESTION_TOKENS,
    limit_of_adapters,
    lower_question_limit,
)
from shared.vqa.loaded import LoadedModel
from shared.vqa.loading import (
    BLIP,
    BLIP2,
    VILT,
    architecture,
    base_folding,
    load_network,
    read_config,
)
from shared.vqa.names.beside import beside_base
from shared.vqa.names.embedded import EMBEDDED_MODEL
from shared.vqa.quantization import Quantization
from shared.vqa.vilt import ViltAnswerer

log = EventLog(__name__)

BLIP2_LANGUAGE_MODELS: Final = frozenset({"opt", "t5"})
"""Those that BLIP-2 was published with; of another one nothing is assumed."""


@value_class
class _Family:
    answerer: type[Answerer[Any, Any]]
    image_processor: type[BaseImageProcessor]
    trained_with: QuestionFolding = AS_IT_COMES
    """How a new adapter hears questions where its base says nothing of it."""


_FAMILIES: Final[Mapping[str, _Family]] = {
    # The published ones were trained on VQAv2: small letters, American, a mark after each question.
    BLIP: _Family(BlipAnswerer, BlipImageProcessorPil, ASKED),
    BLIP2: _Family(Blip2Answerer, BlipImageProcessorPil),
    VILT: _Family(ViltAnswerer, ViltImageProcessorPil, ASKED),
}
_ROOM_FOR_A_QUESTION: Final = 32
"""Tokens; longer questions about products are rare."""
_CHAT: Final = _Family(ChatAnswerer, AutoImageProcessor)


def load_answerer(
    model: str,
    *,
    adapter: Path | None = None,
    adapters: Mapping[str, Path] | None = None,
    quantization: Quantization = Quantization.NF4,
    device: torch.device | None = None,
    instruction: Instruction = NO_INSTRUCTION,
) -> Answerer[Any, Any]:
    """Load a model of any family that answers questions about images.

    It has one ``adapter``, or several ``adapters`` by name, one of which is active at a time.

    Raises:
        InputError: ``model`` or ``adapter`` cannot be found, or ``model`` answers no questions, or
            not by this instruction.
        AdapterNotApplied: the adapter does not fit the base or changes nothing.
    """
    config = read_config(model)
    family = _family(model, config)
    folders = [*(adapters or {}).values(), *([] if adapter is None else [adapter])]
    instruction = effective_instruction(model, instruction, folders)
    require_instruction(model, instruction)
    loaded = load_network(
        model,
        config,
        getattr(transformers, architecture(config)),
        family.image_processor,
        adapter=adapter,
        adapters=adapters,
        quantization=quantization,
        device=device,
    )
    if family.answerer.cuts_questions:
        lower_question_limit(loaded.tokenizer, limit_of_adapters(folders))
        _require_room(loaded, instruction)
    answerer = family.answerer(replace(loaded, instruction=instruction))
    if not answerer.computed_once:
        log.warning(
            "answers_by_plain_generate",
            model=model,
            architecture=architecture(config),
            reason="it keeps nothing of a picture; every question is asked alone",
        )
    return answerer


def training_folding(model: str) -> QuestionFolding:
    """Return how an adapter that is trained on ``model`` hears questions.

    Raises:
        InputError: ``model`` cannot be found, or answers no questions.
    """
    own = base_folding(model)
    return _family(model, read_config(model)).trained_with if own == AS_IT_COMES else own


def effective_instruction(
    model: str, instruction: Instruction, adapters: Iterable[Path] = ()
) -> Instruction:
    """Return how a model is asked: as said, as it or adapters were trained, or as its family is.

    The template stays empty for models that have a way of their own.

    Raises:
        InputError: ``model`` cannot be found, or its adapters were trained with different prompts.
    """
    asked = instruction_of_adapters(instruction, adapters)
    config = read_config(model)
    if asked.template:
        return asked
    merged = beside_base(model, INSTRUCTION_FILE)
    if merged is not None:
        return replace(asked, template=trained_prompt(merged.parent))
    if not is_chat_model(config):
        return asked
    return replace(asked, template=default_prompt(config.model_type))


def is_chat_model(config: PretrainedConfig) -> bool:
    """Return whether a model reads a picture as tokens of a prompt, and is no family of its own."""
    return not is_known_family(config) and has_picture_tokens(config)


def require_instruction(model: str, instruction: Instruction) -> None:
    """Check, before a model is loaded, that it can follow an instruction.

    Raises:
        InputError: an answer's length is given for a model that chooses among labels, or is more
            than a model has places for; or its processor puts no picture into the prompt.
    """
    length = instruction.max_new_tokens
    config = read_config(model)
    if is_chat_model(config):
        require_picture(model, config, open_processor(model, config), instruction)
    if length is None:
        return
    if architecture(config) == VILT:
        raise InputError(
            f"--max-new-tokens {length}: {model} chooses among labels and generates nothing; "
            "leave it out"
        )
    longest = _longest_answer(config)
    if longest is not None and length > longest:
        raise InputError(f"--max-new-tokens {length}: {model} has places for {longest} at most")


def _longest_answer(config: PretrainedConfig) -> int | None:
    """Return for how many tokens of an answer a model has positions; ``None``: for any number."""
    positions: int | None = getattr(config.get_text_config(), "max_position_embeddings", None)
    if positions is None or architecture(config) != BLIP2:
        return positions
    # Its language model reads the image and the question in the same row.
    return positions - int(config.num_query_tokens) - MAX_QUESTION_TOKENS


def _require_room(model: LoadedModel, instruction: Instruction) -> None:
    """A template that fills what is read of a question would hide all questions alike."""
    around = instruction.around("")
    taken = len(model.tokenizer(around, add_special_tokens=False)["input_ids"]) if around else 0
    limit = model.max_question_tokens
    room = min(_ROOM_FOR_A_QUESTION, limit // 2)
    if limit - taken < room:
        raise InputError(
            f"--prompt: takes {taken:,} of the {limit} tokens that {model.name} reads of a "
            f"question; leave at least {room} for the question itself"
        )


def why_no_regions(model: str) -> str:
    """Return why VTGS's regions cannot be had from a model; empty where they can.

    Raises:
        InputError: ``model`` cannot be found.
    """
    named = architecture(read_config(model))
    if named == BLIP:
        return ""
    return f"regions behind an answer are read from BLIP's cross-attention; this is a {named}"


def is_known_family(config: PretrainedConfig) -> bool:
    """Return whether one of our families answers for a model, rather than its own ``generate``."""
    named = architecture(config)
    if named == BLIP2:
        return config.text_config.model_type in BLIP2_LANGUAGE_MODELS
    return named in _FAMILIES


def _family(model: str, config: PretrainedConfig) -> _Family:
    named = architecture(config)
    if is_known_family(config):
        return _FAMILIES[named]
    answering = {
        *MODEL_FOR_VISUAL_QUESTION_ANSWERING_MAPPING_NAMES.values(),
        *MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.values(),
    }
    if named in answering:
        return _CHAT
    raise InputError(
        f"{model}: is a {config.model_type!r} model ({named or 'no architecture named'}), which "
        f"answers no questions about images; give a BLIP, ViLT or BLIP-2 for VQA, another "
        f"image-text-to-text model, or {EMBEDDED_MODEL}"
    )
