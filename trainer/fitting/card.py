"""The card of an adapter: what was trained, on what, how, and how good it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from shared.hub.figures import CardFigure
from shared.hub.model_card import adapter_facts, card_head


@dataclass(frozen=True, slots=True)
class AdapterFacts:
    """What an adapter's card says; ``epochs_to_come`` is 0 of a run that is finished."""

    name: str
    data: str
    base: str
    base_revision: str
    family: str
    quantization: str
    recipe: Mapping[str, object]
    pairs_by_split: Mapping[str, int]
    images_by_split: Mapping[str, int]
    left_out: int
    added_labels: int
    data_sha256: str
    held_out: tuple[float, ...]
    base_held_out: float
    best_epoch: int
    epochs_to_come: int
    versions: Mapping[str, str]


def adapter_card(facts: AdapterFacts) -> str:
    """Return the README.md of an adapter folder."""
    rows = "\n".join(
        f"| {epoch} | {value:.4f} |" for epoch, value in enumerate(facts.held_out, start=1)
    )
    splits = "\n".join(
        f"| {split} | {facts.images_by_split[split]} | {count} |"
        for split, count in facts.pairs_by_split.items()
    )
    recipe = json.dumps(facts.recipe, indent=2, default=str)
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    cut_short = (
        f"\nNot trained to its end; epochs still to come: {facts.epochs_to_come}.\n"
        if facts.epochs_to_come
        else ""
    )
    return f"""{_head(facts)}

# LoRA adapter for {facts.base}

Fine-tuned with `trainer fit` of abo-vqa. The base is a {facts.family}, revision
`{facts.base_revision}`, held in `{facts.quantization}` while training.

## Held-out exact match

Share of validation questions answered exactly, on images that training did not see. The base
alone: {facts.base_held_out:.4f}. The weights here are those after epoch {facts.best_epoch}.

| epoch | exact match |
| --- | --- |
{rows}
{cut_short}
`evaluator run` gives the scorecard on the test split.

## Data

| split | images | questions |
| --- | --- | --- |
{splits}

{_answers(facts)}SHA-256 of the pairs: `{facts.data_sha256}`

## Recipe

```json
{recipe}
```

Versions: {versions}
"""


def _head(facts: AdapterFacts) -> str:
    held_out = CardFigure(
        "exact_match",
        max(facts.held_out),
        facts.pairs_by_split["validation"],
        data=facts.data,
        split="validation",
    )
    return card_head(facts.name, [held_out], adapter_facts(facts.base, facts.family))


def _answers(facts: AdapterFacts) -> str:
    """Say what became of answers that are no label of the base, where it chooses among labels."""
    if facts.added_labels:
        return (
            f"{facts.added_labels} of the training answers were no label of the base; they were "
            "added to its labels, in\n`added_labels.json`.\n\n"
        )
    if facts.left_out:
        return (
            f"{facts.left_out} training questions were left out: their answers are no label of "
            "the base.\n\n"
        )
    return ""
