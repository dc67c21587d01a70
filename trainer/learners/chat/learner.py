"""Chat models: image-text-to-text decoders, whose questions of one image share a row.

What tower and projector make of an image is computed once; the language model reads it, the
questions as the chat template puts them, and the answers as it has them said. The loss is that of
every answer token with the end. Where a mask cannot keep the questions of a row apart, each has a
row of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import torch
from PIL import Image
from torch.nn.functional import cross_entropy

from shared.errors import InputError
from shared.images.decoding import open_image
from shared.program.reporting.event_log import EventLog
from shared.vqa.answerer import Answerer
from shared.vqa.chat.abilities import Keeping, window_of
from shared.vqa.chat.answerer import ChatAnswerer
from shared.vqa.chat.features import on_device
from shared.vqa.chat.known import KnownPicture
from shared.vqa.chat.processor import Picture
from shared.vqa.chat.proof import allowed_rounding, short_prompts
from shared.vqa.greedy import end_tokens
from trainer.learners.chat.answers import spoken_answer
from trainer.learners.chat.apart import TYPES, own_rows
from trainer.learners.chat.parts import attention_targets, parts_of
from trainer.learners.chat.passes import groups_of, said_apart, said_together
from trainer.learners.chat.pictures import SeenPicture, encoder_outputs, positions_of, see
from trainer.learners.chat.proof import sharing_differs_by
from trainer.learners.chat.rows import Before, Turn, rows_of
from trainer.learners.learner import (
    Features,
    Learner,
    QuestionAndAnswer,
    TokenLimits,
    half_bytes,
)

log = EventLog(__name__)

_SIDE: Final = 64
"""Of the picture that stands in for any other where questions are tokenised, in pixels."""
_LOOKED_AT: Final = 16
"""Pictures, evenly drawn, of which the largest tells how much room all of them take."""
_KEPT_QUESTIONS: Final = 2**16
"""Whose tokens are kept for the next epoch: a processor takes milliseconds for each."""
_BYTES_BESIDE: Final = 1024
"""What names, sizes and grids of stored tensors take at most."""
_BYTES_OF_A_TOKEN: Final = 16
"""Its id, and what kind it is of."""


_WHY_TOGETHER: Final = "a mask keeps them apart"
_WHY_APART: Final[Mapping[Keeping, str]] = {
    Keeping.ROWS: "it has a rule of its own for which tokens see each other",
    Keeping.COPIES: "its layers with linear attention let no mask part them",
    Keeping.FEATURES: "what it makes of an image depends on the question",
}


@dataclass(frozen=True, slots=True)
class ChatExamples:
    """Questions and answers as tokens."""

    turns: tuple[Turn, ...]

    @property
    def loss_terms(self) -> int:
        """Answer tokens, with the end."""
        return sum(len(turn.answer) for turn in self.turns)


class ChatLearner(Learner[ChatExamples]):
    """Trains an image-text-to-text decoder."""

    family = "chat model"
    layer_names = (
        "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, of most language models"
    )
    feature_source = "output of the vision tower and the projector"

    def __init__(self, answerer: Answerer[Any, Any], limits: TokenLimits) -> None:
        super().__init__(answerer, limits)
        assert isinstance(answerer, ChatAnswerer)
        network = self.model.network
        self._parts = parts_of(network)
        self.towers = self._parts.all
        self.says_the_answer = (self._parts.saying,)
        self._keeping, self._split = answerer.keeping, answerer.split
        if self._keeping is Keeping.NOTHING:
            raise InputError(
                f"{self.model.name}: does not take features in the place of pixels, so that it is "
                "not trained here; give another chat model"
            )
        another = answerer.prepare(Image.new("RGB", (_SIDE, _SIDE)))
        self._question = lru_cache(_KEPT_QUESTIONS)(self._tokens_of_question)
        self._another = another, len(self._split.prefix(another).ids)
        self.window = window_of(network)
        self.shares_rows = self._can_share_rows()
        another.drop_pixels()
        self._spoken = spoken_answer(answerer.processor, end_tokens(network), self.model.name)

    @property
    def default_targets(self) -> str:
        """The attention of the language model, and of no tower that calls its layers alike."""
        return attention_targets(self.model.network)

    @property
    def image_encoder(self) -> tuple[str, ...]:
        """The vision tower and the projector."""
        return self._parts.seeing

    def _can_share_rows(self) -> bool:
        """Return whether a mask keeps questions of one row apart, so that they can share it."""
        if self._keeping is not Keeping.ROWS:
            return False
        network, (another, _) = self.model.network, self._another
        off = sharing_differs_by(
            network, short_prompts(network, another, self._split, self.model.device)
        )
        return off <= allowed_rounding(network)

    def adapter_added(self) -> None:
        """Say how questions will be read."""
        log.info(
            "questions_of_an_image",
            read="in one row" if self.shares_rows else "each in a row of its own",
            reason=_WHY_TOGETHER if self.shares_rows else _WHY_APART[self._keeping],
        )

    def stored_bytes(self, pictures: Sequence[Path]) -> int:
        """Return the bytes of the largest of a few pictures."""
        drawn = pictures[:: max(1, len(pictures) // _LOOKED_AT)]
        tokens = max(self._places_of(open_image(picture)) for picture in drawn)
        config = self.model.network.config
        deeper = len(getattr(config.vision_config, "deepstack_visual_indexes", None) or ())
        width = (1 + deeper) * config.get_text_config().hidden_size
        return half_bytes((tokens, width)) + tokens * _BYTES_OF_A_TOKEN + _BYTES_BESIDE

    def tensors_of(self, image: SeenPicture) -> dict[str, torch.Tensor]:
        """Return all that was computed of a picture, by name."""
        return image.tensors

    def image_of(self, tensors: Mapping[str, torch.Tensor]) -> SeenPicture:
        """Return what was computed of a picture."""
        return SeenPicture.of(tensors)

    def input_shape(self, image: Image.Image) -> tuple[int, int]:
        """Return the picture's own size: the processor changes it as it wants."""
        return image.height, image.width

    def prepare_changed(self, picture_1CHW: torch.Tensor) -> Picture:
        """Return a changed picture as one that was never changed."""
        bytes_HWC = (picture_1CHW[0].permute(1, 2, 0) * 255).round().to(torch.uint8)
        picture: Picture = self.answerer.prepare(Image.fromarray(bytes_HWC.numpy()))
        return picture

    def encode(self, pixels: Sequence[Picture]) -> Features:
        """Run the vision tower and the projector over one picture after the other."""
        network = self.model.network
        inputs = (self._split.prefix(picture).inputs for picture in pixels)
        return [see(network, on_device(network, one, self.model.device)) for one in inputs]

    def remember(self, features: Features) -> object:
        """Return what will keep the pictures when the answerer is asked about them."""
        return self.answerer.remember(
            [
                KnownPicture(seen.prefix, encoder_outputs([seen])["image"], *self._another)
                for seen in features
            ]
        )

    def _places_of(self, image: Image.Image) -> int:
        return len(self._split.prefix(self.answerer.prepare(image)).ids)

    def tokenise(self, pairs: Sequence[QuestionAndAnswer]) -> ChatExamples:
        """Tokenise questions as they are asked, and answers as the template has them said."""
        questions = self.model.asked([pair.question for pair in pairs])
        return ChatExamples(
            tuple(
                Turn(self._question(question), self._answer(pair.answer))
                for question, pair in zip(questions, pairs, strict=True)
            )
        )

    def _tokens_of_question(self, text: str) -> tuple[int, ...]:
        # What stands after a picture does not depend on it.
        another, before = self._another
        return tuple(another.tokens(text)[before:])

    def _answer(self, text: str) -> tuple[int, ...]:
        return self._spoken.tokens(self.model.tokenizer, text, self._limits.answer)

    def loss_sum(
        self, features: Features, image_of: Sequence[int], examples: ChatExamples
    ) -> torch.Tensor:
        """Return the cross-entropy of all answer tokens, in nats."""
        logits_AV, labels_A = self._said(features, image_of, examples.turns)
        return cross_entropy(logits_AV.float(), labels_A, reduction="sum")

    def log_probabilities(
        self, features: Features, image_of: Sequence[int], examples: ChatExamples
    ) -> torch.Tensor:
        """Return those of all tokens, for each token of the answers."""
        logits_AV, _ = self._said(features, image_of, examples.turns)
        return logits_AV.float().log_softmax(-1)

    def _said(
        self, features: Features, image_of: Sequence[int], turns: Sequence[Turn]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits ``(A, V)`` and labels ``(A,)``."""
        if self._share_rows(features, image_of, turns):
            return self._together(features, image_of, turns)
        return self._apart([features[image] for image in image_of], turns)

    def _share_rows(
        self, seen: Sequence[SeenPicture], image_of: Sequence[int], turns: Sequence[Turn]
    ) -> bool:
        """Return whether questions of an image can share a row."""
        if not self.shares_rows:
            return False
        return self.window is None or all(
            len(seen[image].ids_P) + len(turn.read) <= self.window
            for image, turn in zip(image_of, turns, strict=True)
        )

    def _together(
        self, seen: Sequence[SeenPicture], image_of: Sequence[int], turns: Sequence[Turn]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits ``(A, V)`` and labels ``(A,)``, the questions of an image in one row."""
        network = self.model.network
        before = [
            Before(
                one.ids_P,
                positions_of(network, one),
                groups_of(one.by_token.get(TYPES), one.ids_P),
            )
            for one in seen
        ]
        rows = rows_of(list(map(len, before)), image_of, turns, self.window)
        encoded = encoder_outputs([seen[row.image] for row in rows])
        return said_together(network, rows, before, self._padding, encoded)

    def _apart(
        self, seen: Sequence[SeenPicture], turns: Sequence[Turn]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits ``(A, V)`` and labels ``(A,)``, each question in a row of its own."""
        whole = self._keeping is Keeping.FEATURES
        rows = own_rows(seen, turns, self._padding, prompt_is_one=whole)
        return said_apart(self.model.network, rows, encoder_outputs(seen))

    @property
    def _padding(self) -> int:
        pad_id = self.model.network.config.get_text_config().pad_token_id
        return 0 if pad_id is None else int(pad_id)
