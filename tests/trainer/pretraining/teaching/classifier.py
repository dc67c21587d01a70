"""A tiny random classifier of pictures, as a teacher."""

import torch
from torch import nn

from trainer.pretraining.teaching.teacher import Teacher


class TinyClassifier(nn.Module):
    """Fine maps of a quarter of a picture's side, coarse ones of an eighth."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Conv2d(3, 4, 4, stride=4)
        self.coarse = nn.Conv2d(4, 8, 2, stride=2)

    def extract_features(self, pixels_NCHW: torch.Tensor) -> torch.Tensor:
        return self.coarse(self.fine(pixels_NCHW)).relu()


def tiny_teacher() -> Teacher:
    torch.manual_seed(3)
    return Teacher(TinyClassifier().eval(), fine="fine", side=32, mean=127.0, scale=128.0)
