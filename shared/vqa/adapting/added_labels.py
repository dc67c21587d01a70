"""Answers that a classifier did not have: labels added to ViLT's own, and their rows.

The last layer is then trained whole and kept with the adapter, the names beside it. The base's
labels keep their places, so that the base alone, with the adapter switched off, still answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from transformers import ViltForQuestionAnswering

from shared.corpus import read_json, write_json
from shared.errors import InputError
from shared.vqa.adapting.adapter_files import ADDED_LABELS
from shared.vqa.formats import exact_weight

HEAD: Final = "classifier.3"
"""ViLT's last layer, one row for each label, as peft's ``modules_to_save`` names it."""


class _ExactLinear(torch.nn.Linear):
    """Computes in the precision of its weights, whatever comes in."""

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return super().forward(states.to(self.weight.dtype))


def write_added_labels(labels: Sequence[str], adapter: Path) -> None:
    """Write the labels beside an adapter; without any, remove those of an older one."""
    path = adapter / ADDED_LABELS
    if labels:
        write_json({"labels": list(labels)}, path)
    else:
        path.unlink(missing_ok=True)


def read_added_labels(adapter: Path) -> list[str]:
    """Return the labels that came with an adapter; none where it added none.

    Raises:
        InputError: the file has no list of labels.
    """
    path = adapter / ADDED_LABELS
    if not path.is_file():
        return []
    labels = read_json(path).get("labels")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise InputError(f"{path}: no list of labels")
    return labels


@torch.no_grad()
def make_head_trainable(network: ViltForQuestionAnswering) -> None:
    """Hold the last layer in float32, in place, whatever it was held in: what it computes stays."""
    head = network.classifier[-1]
    weight = exact_weight(head)
    exact = _ExactLinear(head.in_features, head.out_features, device=weight.device)
    exact.weight.copy_(weight)
    exact.bias.copy_(head.bias)
    network.classifier[-1] = exact.requires_grad_(requires_grad=False)


@torch.no_grad()
def grow_head(network: ViltForQuestionAnswering, labels: Sequence[str]) -> None:
    """Add a row for each label to an adapter's copy of the last layer, in place.

    New rows start without an opinion, as likely as the base's labels are on average.
    """
    copies = network.classifier[-1].modules_to_save
    for name, head in copies.items():
        grown = _ExactLinear(
            head.in_features, head.out_features + len(labels), device=head.weight.device
        )
        grown.weight.zero_()
        grown.weight[: head.out_features] = head.weight
        grown.bias.fill_(float(head.bias.mean()))
        grown.bias[: head.out_features] = head.bias
        copies[name] = grown.requires_grad_(head.weight.requires_grad)
    config = network.config
    label_of = dict(config.id2label)
    label_of |= {len(label_of) + number: label for number, label in enumerate(labels)}
    config.id2label = label_of
    config.label2id = {label: number for number, label in label_of.items()}
