"""BLIP-2: image encoder, Q-Former and a frozen language model that reads queries as words.

Image encoder, Q-Former and projection depend on the image alone and run once. What the language
model makes of them:

- a decoder (OPT) reads the image's queries before the question, and no token sees a later one: its
  keys and values for them, in every layer, are computed once per image too;
- an encoder-decoder (T5) lets queries and words see each other, so its encoder runs for every
  question.

Questions of a batch are padded between image and question (OPT, where the last token must stand
last) or after the question (T5), under the true mask and with the true positions.
Model: Li et al. 2023, "BLIP-2", arXiv:2301.12597; the prompts are those of its section 4.1.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from transformers import Blip2ForConditionalGeneration, DynamicCache

from shared.value_class import value_class
from shared.vqa.answerer import Answer, Answerer
from shared.vqa.blip.text import pad_right, token_lists
from shared.vqa.greedy import Decoded, answers_of, generated
from shared.vqa.inputs.preprocessing import pixel_values, to_device
from shared.vqa.loaded import LoadedModel

DECODER_PROMPT = "Question: {} Answer:"
ENCODER_DECODER_PROMPT = "Question: {} Short answer:"


@value_class
class QueryMemory:
    """What the language model reads of N images.

    ``queries_NLD`` are the projected outputs of the Q-Former. ``layers`` hold a decoder's keys
    and values for them, ``(N, heads, L, D / heads)``; an encoder-decoder has none.
    """

    queries_NLD: torch.Tensor
    layers: tuple[tuple[torch.Tensor, torch.Tensor], ...]


def vision_features(
    network: Blip2ForConditionalGeneration, pixels_NCHW: torch.Tensor
) -> torch.Tensor:
    """Return what the vision tower makes of N images, ``(N, L, D)``."""
    features_NLD: torch.Tensor = network.vision_model(pixels_NCHW).last_hidden_state
    return features_NLD


def query_outputs(
    network: Blip2ForConditionalGeneration, features_NLD: torch.Tensor
) -> torch.Tensor:
    """Return what the Q-Former reads out of vision features, ``(N, queries, D)``."""
    outputs_NLD: torch.Tensor = network.qformer(
        query_embeds=network.query_tokens.expand(len(features_NLD), -1, -1),
        encoder_hidden_states=features_NLD,
    ).last_hidden_state
    # The Q-Former may be held in float32 where the rest is not.
    return outputs_NLD.to(features_NLD.dtype)


def projected_queries(
    network: Blip2ForConditionalGeneration, outputs_NLD: torch.Tensor
) -> torch.Tensor:
    """Return the Q-Former's outputs as the language model reads them, ``(N, queries, D)``."""
    queries_NLD: torch.Tensor = network.language_projection(outputs_NLD)
    return queries_NLD.to(network.language_model.dtype)


def prompt_of(network: Blip2ForConditionalGeneration) -> str:
    """Return the prompt of a network's language model, with ``{}`` for the question."""
    if network.language_model.config.is_encoder_decoder:
        return ENCODER_DECODER_PROMPT
    return DECODER_PROMPT


def padding_id(network: Blip2ForConditionalGeneration) -> int:
    """Return the language model's padding token; any will do where it names none."""
    pad = network.language_model.config.pad_token_id
    return 0 if pad is None else int(pad)


class Blip2Answerer(Answerer[torch.Tensor, QueryMemory]):
    """Keeps each image's queries, and a decoder's keys and values for them."""

    computed_once = "image encoder, Q-Former and projection; a decoder's keys and values"

    def __init__(self, model: LoadedModel) -> None:
        super().__init__(model)
        self._language = model.network.language_model
        self._decoder_only = not self._language.config.is_encoder_decoder
        self._prompt = prompt_of(model.network)
        self._pad = padding_id(model.network)

    def prepare(self, image: Image.Image) -> torch.Tensor:
        """Return pixels ``(1, C, H, W)``."""
        return pixel_values(self.model.image_processor, [image])

    @torch.inference_mode()
    def remember(self, images: Sequence[torch.Tensor]) -> QueryMemory:
        """Encode the images and let a decoder read them."""
        network = self.model.network
        pixels_NCHW = to_device(torch.cat(list(images)), self.model.device, network.dtype)
        outputs_NLD = query_outputs(network, vision_features(network, pixels_NCHW))
        return self.remember_queries(projected_queries(network, outputs_NLD))

    @torch.inference_mode()
    def remember_queries(self, queries_NLD: torch.Tensor) -> QueryMemory:
        """Let a decoder read the projected queries of N images."""
        if not self._decoder_only:
            return QueryMemory(queries_NLD, ())
        cache = DynamicCache(config=self._language.config)
        self._language(inputs_embeds=queries_NLD, past_key_values=cache, use_cache=True)
        return QueryMemory(queries_NLD, tuple((layer.keys, layer.values) for layer in cache.layers))

    @torch.inference_mode()
    def answer(
        self, memory: QueryMemory, image_of: Sequence[int], questions: Sequence[str]
    ) -> list[Answer]:
        """Ask the language model, whose prompt says that a short answer is wanted."""
        if not questions:
            return []
        rows = token_lists(
            self.model.tokenizer,
            self.prompts(questions),
            self.model.max_question_tokens,
        )
        index_B = torch.tensor(image_of, device=self.model.device)
        decode = self._continue if self._decoder_only else self._translate
        return answers_of(self.model.tokenizer, decode(memory, index_B, rows))

    def prompts(self, questions: Sequence[str]) -> list[str]:
        """Return the questions in the instruction, or as BLIP-2's paper asks them."""
        if self.model.instruction.template:
            return self.model.asked(questions)
        return [self._prompt.format(question) for question in self.model.folded(questions)]

    def _continue(
        self, memory: QueryMemory, index_B: torch.Tensor, rows: Sequence[Sequence[int]]
    ) -> list[Decoded]:
        cache = DynamicCache(config=self._language.config)
        for number, (keys, values) in enumerate(memory.layers):
            cache.update(keys[index_B], values[index_B], number)
        seen = memory.queries_NLD.shape[1]
        # Reversed, padded on the right and reversed again: padded on the left.
        backwards = pad_right([row[::-1] for row in rows], self._pad).to(self.model.device)
        ids_BT, mask_BT = backwards.ids_BT.flip(1), backwards.mask_BT.flip(1)
        return generated(
            self._language,
            self.model.instruction.longest_answer,
            # Nobody reads the ids of the image's tokens, whose keys and values are in the cache.
            input_ids=torch.nn.functional.pad(ids_BT, (seen, 0), value=self._pad),
            attention_mask=torch.nn.functional.pad(mask_BT, (seen, 0), value=1),
            past_key_values=cache,
        )

    def _translate(
        self, memory: QueryMemory, index_B: torch.Tensor, rows: Sequence[Sequence[int]]
    ) -> list[Decoded]:
        tokens = pad_right(rows, self._pad).to(self.model.device)
        words_BTD = self._language.get_input_embeddings()(tokens.ids_BT)
        queries_BLD = memory.queries_NLD[index_B]
        return generated(
            self._language,
            self.model.instruction.longest_answer,
            inputs_embeds=torch.cat((queries_BLD, words_BTD), dim=1),
            attention_mask=torch.nn.functional.pad(
                tokens.mask_BT, (queries_BLD.shape[1], 0), value=1
            ),
        )
