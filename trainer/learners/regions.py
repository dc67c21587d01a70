"""Region supervision: a loss on where the question looks, for pairs whose data has boxes.

Attention is spread evenly over the boxes, as attention supervision does with a map of where people
looked (Qiao et al. 2018, arXiv:1709.06308), and told apart from a *contrastive pair*: another
question about the same picture whose boxes are elsewhere, which must look less at these. That it is
spread matters: its mass alone may sit on one patch of a box, and the answer's region with it. HINT
(Selvaraju et al. 2019, arXiv:1902.03751) aligns gradients in place of attention, which takes second
derivatives; that is not done here.

A pair's loss depends on the pair and its partner alone, whichever micro-batch they are in: a
partner that is elsewhere is encoded along with the pair, without its answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from shared.records import QAPair
from shared.records.grouping import by_image
from shared.records.patches import box_patches

SMALLEST_SHARE = 1e-6
"""Attention on a patch below which the loss has no gradient: its logarithm stays finite."""


@dataclass(frozen=True)
class RegionSupervision:
    """What the loss needs besides the network.

    ``weight`` counts the loss against that of the answers, ``contrast`` the contrastive part within
    it; ``layers`` are the cross-attention layers, from 0; ``side`` is that of the square grid of
    patches. ``partners`` has the contrastive pair of each pair that has one.
    """

    weight: float
    contrast: float
    layers: tuple[int, ...]
    side: int
    partners: Mapping[QAPair, QAPair]


@dataclass(frozen=True, slots=True)
class RegionTargets:
    """Where B pairs should look, over P patches; ``extra`` are E partners from elsewhere.

    ``inside_BP`` has the patches of each pair's boxes, none where it has no box. ``partner_B`` is
    the row of its partner among B + E rows, and ``apart_BP`` the patches that the partner's boxes
    leave alone; none where it has no partner. ``extra_beside`` has for each extra the row of a pair
    about the same image.
    """

    inside_BP: torch.Tensor
    apart_BP: torch.Tensor
    partner_B: torch.Tensor
    extra: tuple[QAPair, ...]
    extra_beside: tuple[int, ...]

    def to(self, device: torch.device) -> RegionTargets:
        """Return the same targets on another device."""
        return RegionTargets(
            self.inside_BP.to(device),
            self.apart_BP.to(device),
            self.partner_B.to(device),
            self.extra,
            self.extra_beside,
        )


def contrastive_pairs(pairs: Sequence[QAPair], side: int) -> dict[QAPair, QAPair]:
    """Return for each pair with boxes the next one about its image whose patches are others.

    The last goes on with the first. Pairs without such another are left out.
    """
    partners: dict[QAPair, QAPair] = {}
    for group in by_image(pair for pair in pairs if pair.boxes).values():
        patches = [_patches(pair, side).tobytes() for pair in group]
        for place, pair in enumerate(group):
            order = [*range(place + 1, len(group)), *range(place)]
            other = next((index for index in order if patches[index] != patches[place]), None)
            if other is not None:
                partners[pair] = group[other]
    return partners


def region_targets(pairs: Sequence[QAPair], supervision: RegionSupervision) -> RegionTargets | None:
    """Return where the pairs of a micro-batch should look; ``None`` where none has a box."""
    if not any(pair.boxes for pair in pairs):
        return None
    side = supervision.side
    rows = {pair: row for row, pair in enumerate(pairs)}
    extra: dict[QAPair, int] = {}
    inside_BP = np.stack([_patches(pair, side) for pair in pairs])
    apart_BP = np.zeros_like(inside_BP)
    partner_B = np.zeros(len(pairs), dtype=np.int64)
    for row, pair in enumerate(pairs):
        partner = supervision.partners.get(pair)
        if partner is None or not supervision.contrast:
            continue
        if partner not in rows:
            rows[partner] = len(pairs) + len(extra)
            extra[partner] = row
        partner_B[row] = rows[partner]
        apart_BP[row] = inside_BP[row] & ~_patches(partner, side)
    return RegionTargets(
        torch.from_numpy(inside_BP),
        torch.from_numpy(apart_BP),
        torch.from_numpy(partner_B),
        tuple(extra),
        tuple(extra.values()),
    )


def _patches(pair: QAPair, side: int) -> NDArray[np.bool_]:
    return box_patches(pair.boxes, side, side).ravel()


def region_losses(maps_NP: torch.Tensor, targets: RegionTargets, contrast: float) -> torch.Tensor:
    """Return the loss of each of B pairs in nats, ``(B,)``; 0 where it has no box.

    ``KL(u(R) || a(q)) + contrast * log(1 + m(q', R - R') / m(q, R))``: a(q) is how question q's
    attention is spread over the patches, u(R) the even spread over those of its boxes R, m(q, R)
    the share of a(q) inside R, and q' its partner with boxes R'. The second part is InfoNCE over
    the two questions, and 0 without a partner.

    Args:
        maps_NP: attention of the B pairs and of the E extra partners, each row summing to 1.
        targets: where they should look.
        contrast: weight of the second part.
    """
    own_BP, inside_BP = maps_NP[: len(targets.inside_BP)], targets.inside_BP
    patches_B = inside_BP.sum(1).clamp(min=1)
    logarithms_BP = own_BP.clamp(min=SMALLEST_SHARE).log() * inside_BP
    divergences_B = -logarithms_BP.sum(1) / patches_B - patches_B.log()
    inside_B = (own_BP * inside_BP).sum(1).clamp(min=SMALLEST_SHARE)
    partners_B = (maps_NP[targets.partner_B] * targets.apart_BP).sum(1)
    losses_B = divergences_B + contrast * torch.log1p(partners_B / inside_B)
    return losses_B * inside_BP.any(1)
