"""BLIP-2 with a decoder: vision tower, Q-Former and projection in one graph, and the decoder."""

from __future__ import annotations

import torch
from transformers import Blip2ForConditionalGeneration

from shared.errors import InputError
from shared.onnx_vqa.manifest import LANGUAGE
from shared.vqa.blip2 import (
    padding_id,
    projected_queries,
    prompt_of,
    query_outputs,
    vision_features,
)
from shared.vqa.greedy import end_tokens
from shared.vqa.inputs.instruction import PLACE
from shared.vqa.loaded import LoadedModel
from trainer.export.families.exportable import Exportable
from trainer.export.families.language import (
    LanguageModel,
    cache_sizes,
    language_graph,
    picture_graph,
)
from trainer.export.families.pixels import image_rules
from trainer.export.families.questions import prompt_rules


def exportable_blip2(model: LoadedModel) -> Exportable:
    """Return a BLIP-2's graphs.

    Raises:
        InputError: its language model is no decoder, or its preprocessing is not the runtime's.
    """
    network = model.network
    language, vision = network.language_model, network.config.vision_config
    if language.config.is_encoder_decoder:
        raise InputError(
            f"{model.name}: its language model ({language.config.model_type}) is an "
            "encoder-decoder; of BLIP-2 those with a decoder (OPT) are exported"
        )
    width = network.language_projection.out_features
    queries = network.config.num_query_tokens
    template = model.instruction.template or prompt_of(network).format(PLACE)
    return Exportable(
        model,
        LANGUAGE,
        {
            "image_encoder": picture_graph(
                network, _tokens, (3, vision.image_size, vision.image_size)
            ),
            "language_model": language_graph(
                LanguageModel(language.model, language.get_input_embeddings(), language.lm_head),
                language.config,
                width,
            ),
        },
        {
            "tokens": {"end": sorted(end_tokens(language)), "pad": padding_id(network)},
            "prompt": prompt_rules(template),
            "picture": {"before": [-1] * queries, "token": None, "width": width},
            "cache": list(cache_sizes(language.config)),
            "max_question_tokens": model.max_question_tokens,
            "max_new_tokens": model.instruction.longest_answer,
            "image": image_rules(model.image_processor),
        },
    )


def _tokens(network: Blip2ForConditionalGeneration, pixels_1CHW: torch.Tensor) -> torch.Tensor:
    features_1LD = vision_features(network, pixels_1CHW)
    return projected_queries(network, query_outputs(network, features_1LD))
