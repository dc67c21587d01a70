"""A model with what it is taught by: all of it is trained, and only the model is kept."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import interpolate
from transformers import BlipForQuestionAnswering

from trainer.pretraining.teaching.advisor import Chooser, Reader
from trainer.pretraining.teaching.maps import Seen, Sight, TeacherMaps


class Telling(nn.Module):
    """Tells what a model's tower sees as a teacher would: features ``(N, L, D)`` as its tokens."""

    def __init__(self, width: int, seen: Seen) -> None:
        super().__init__()
        _, places, channels = seen.tokens_NLK.shape
        self.side = round(places**0.5)
        self.tokens = nn.Linear(width, channels)
        self.whole = nn.Linear(width, seen.whole_NK.shape[1])

    def forward(self, features_NLD: torch.Tensor) -> Seen:
        """Return it in the teacher's places; the class token tells of the whole."""
        tokens_NLK = self.tokens(features_NLD[:, 1:]).float()
        side = round(tokens_NLK.shape[1] ** 0.5)
        if side != self.side:
            square_NKGG = tokens_NLK.transpose(1, 2).unflatten(2, (side, side))
            size = (self.side, self.side)
            resized_NKGG = interpolate(square_NKGG, size=size, mode="bilinear", antialias=True)
            tokens_NLK = resized_NKGG.flatten(2).transpose(1, 2)
        return Seen(tokens_NLK, self.whole(features_NLD[:, 0]).float())


class Pupil(nn.Module):
    """The model; the advisor, which reads and chooses; and one who chooses by what the model sees.

    The last begins as the advisor is (``follow``).
    """

    def __init__(
        self, model: BlipForQuestionAnswering, sight: Sight, maps: TeacherMaps, answers: int
    ) -> None:
        super().__init__()
        seen = sight(*maps.cut(torch.tensor([0]), None, torch.device("cpu")))
        _, places, channels = seen.tokens_NLK.shape
        self.model, self.sight = model, sight
        self.reader = Reader(model.config.text_config.vocab_size)
        self.advisor, self.follower = (
            Chooser(answers, places, channels, seen.whole_NK.shape[1]) for _ in range(2)
        )
        self.telling = Telling(model.config.vision_config.hidden_size, seen)

    @torch.no_grad()
    def follow(self, other: Pupil) -> None:
        """Let the follower choose as another's advisor does."""
        self.follower.load_state_dict(other.advisor.state_dict())
