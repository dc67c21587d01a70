"""What a teacher sees in the training pictures, looked at once and cut as the pictures are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import nn
from torch.nn.functional import affine_grid, grid_sample, pixel_unshuffle

from shared.program.reporting.progress import report_progress
from trainer.pretraining.teaching.teacher import Teacher

TOGETHER: Final = 16
"""Pictures that a teacher looks at in one pass."""
TOKEN_CHANNELS: Final = 256
"""Principal components that are kept of a place."""
FINE_SHARE: Final = 0.8
"""Weight of the fine maps beside the coarse ones, whose channels are more."""
_SAMPLE: Final = 1500
_FLAT: Final = 0.05
"""A coarse channel that deviates less is as good as always off."""


@dataclass(frozen=True)
class TeacherMaps:
    """The coarse ``(N, K, G, G)`` and fine ``(N, K, 2 G, 2 G)`` maps of N pictures, in float16."""

    coarse_NKGG: torch.Tensor
    fine_NKGG: torch.Tensor

    def cut(
        self, images: torch.Tensor, theta_N23: torch.Tensor | None, device: torch.device
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the maps of some pictures on a device, cut out as ``theta_N23`` says of these."""
        coarse_NKGG = self.coarse_NKGG[images].to(device).float()
        fine_NKGG = self.fine_NKGG[images].to(device).float()
        if theta_N23 is None:
            return coarse_NKGG, fine_NKGG
        return _cut(coarse_NKGG, theta_N23), _cut(fine_NKGG, theta_N23)


def _cut(maps_NKGG: torch.Tensor, theta_N23: torch.Tensor) -> torch.Tensor:
    grid = affine_grid(theta_N23.to(maps_NKGG.device), [*maps_NKGG.shape], align_corners=False)
    return grid_sample(maps_NKGG, grid, padding_mode="border", align_corners=False)


def look_at(teacher: Teacher, pictures_NCHW: torch.Tensor) -> TeacherMaps:
    """Have a teacher look at all pictures (uint8)."""
    coarse_NKGG, fine_NKGG = torch.empty(0), torch.empty(0)
    with report_progress("the teacher looks", len(pictures_NCHW)) as progress:
        for first in range(0, len(pictures_NCHW), TOGETHER):
            seen = teacher.look(pictures_NCHW[first : first + TOGETHER])
            if not first:
                coarse_NKGG, fine_NKGG = (
                    torch.empty(len(pictures_NCHW), *each.shape[1:], dtype=torch.float16)
                    for each in seen
                )
            coarse_NKGG[first : first + TOGETHER], fine_NKGG[first : first + TOGETHER] = seen
            progress.advance(len(seen[0]))
    return TeacherMaps(coarse_NKGG, fine_NKGG)


@dataclass(frozen=True)
class Seen:
    """What is seen of N pictures: tokens ``(N, L, K)``, and mean and maximum ``(N, 2 K)``."""

    tokens_NLK: torch.Tensor
    whole_NK: torch.Tensor


class Sight(nn.Module):
    """How maps become tokens: standardised, and the principal components of each place.

    It is kept with the weights that learned by it: components found anew may have other signs.
    """

    def __init__(
        self,
        mean_K: torch.Tensor,
        deviation_K: torch.Tensor,
        kept_KK: torch.Tensor,
        whole_mean_K: torch.Tensor,
        whole_deviation_K: torch.Tensor,
    ) -> None:
        super().__init__()
        self.mean_K, self.deviation_K, self.kept_KK, self.whole_mean_K, self.whole_deviation_K = (
            nn.Parameter(each, requires_grad=False)
            for each in (mean_K, deviation_K, kept_KK, whole_mean_K, whole_deviation_K)
        )

    def forward(self, coarse_NKGG: torch.Tensor, fine_NKGG: torch.Tensor) -> Seen:
        """Return what maps show."""
        places_NLK = _by_place(coarse_NKGG, fine_NKGG)
        tokens_NLK = (places_NLK - self.mean_K) / self.deviation_K @ self.kept_KK
        whole_NK = (_whole(coarse_NKGG) - self.whole_mean_K) / self.whole_deviation_K
        return Seen(tokens_NLK, whole_NK)


def sight_of(maps: TeacherMaps) -> Sight:
    """Return the sight that some of the pictures suggest."""
    drawn = torch.randperm(len(maps.coarse_NKGG), generator=torch.Generator().manual_seed(0))
    coarse_NKGG, fine_NKGG = (
        some.float()
        for some in (maps.coarse_NKGG[drawn[:_SAMPLE]], maps.fine_NKGG[drawn[:_SAMPLE]])
    )
    sample_NK = _by_place(coarse_NKGG, fine_NKGG).flatten(0, 1)
    mean_K, deviation_K = sample_NK.mean(0), sample_NK.std(0, correction=0).clamp(min=_FLAT)
    deviation_K[coarse_NKGG.shape[1] :] /= FINE_SHARE
    standard_NK = (sample_NK - mean_K) / deviation_K
    _, vectors_KK = torch.linalg.eigh(standard_NK.T @ standard_NK)
    whole_NK = _whole(coarse_NKGG)
    return Sight(
        mean_K,
        deviation_K,
        vectors_KK.flip(1)[:, :TOKEN_CHANNELS].contiguous(),
        whole_NK.mean(0),
        whole_NK.std(0, correction=0) + _FLAT,
    )


def mean_seen(maps: TeacherMaps, sight: Sight) -> torch.Tensor:
    """Return what is seen of every picture on average, standardised, ``(N, K)``."""
    channels = maps.coarse_NKGG.shape[1]
    means = [some.float().mean((2, 3)) for some in maps.coarse_NKGG.split(TOGETHER)]
    return (torch.cat(means) - sight.whole_mean_K[:channels]) / sight.whole_deviation_K[:channels]


def _by_place(coarse_NKGG: torch.Tensor, fine_NKGG: torch.Tensor) -> torch.Tensor:
    """Return maps as tokens ``(N, G * G, K)``, four fine places in each coarse one."""
    parts = (coarse_NKGG, pixel_unshuffle(fine_NKGG, 2))
    return torch.cat(parts, dim=1).permute(0, 2, 3, 1).flatten(1, 2)


def _whole(coarse_NKGG: torch.Tensor) -> torch.Tensor:
    return torch.cat([coarse_NKGG.mean((2, 3)), coarse_NKGG.amax((2, 3))], dim=1)
