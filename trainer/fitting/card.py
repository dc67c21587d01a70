"""Model cards: what was trained, on what, how, and how good it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AdapterFacts:
    """What an adapter's card says; ``epochs_to_come`` is 0 of a run that is finished."""

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
    return f"""---
library_name: peft
base_model: {facts.base}
pipeline_tag: visual-question-answering
tags: [lora, {facts.family.lower()}, vqa, abo-vqa]
---

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


def merged_card(
    base: str,
    family: str,
    asked: str,
    quantization: str,
    exact_match: Mapping[str, float],
) -> str:
    """Return the README.md of a merged model; ``asked`` has number and split of the questions."""
    rows = "\n".join(f"| {stage} | {value:.4f} |" for stage, value in exact_match.items())
    return f"""---
library_name: transformers
base_model: {base}
pipeline_tag: visual-question-answering
tags: [{family.lower()}, vqa, abo-vqa]
---

# {base} with an adapter merged in

Made by `trainer merge` of abo-vqa: W0 + BA in float16, no adapter left. The base was held in
`{quantization}` while the adapter was trained.

Exact match on the {asked} questions kept beside the adapter:

| model | exact match |
| --- | --- |
{rows}
"""


def fused_card(
    base: str,
    family: str,
    method: str,
    weights: Mapping[str, float],
    domains: Sequence[tuple[str, str, int, Mapping[str, float]]],
) -> str:
    """Return the README.md of a fused adapter; ``domains`` has name, split, pairs and scores."""
    models = list(domains[0][3])
    head = " | ".join(["domain", "split", "questions", *models])
    rule = " | ".join(["---"] * (3 + len(models)))
    rows = "\n".join(
        f"| {name} | {split} | {pairs} | "
        + " | ".join(f"{scores[model]:.4f}" for model in models)
        + " |"
        for name, split, pairs, scores in domains
    )
    shares = ", ".join(f"{name} {weight:.3g}" for name, weight in weights.items())
    return f"""---
library_name: peft
base_model: {base}
pipeline_tag: visual-question-answering
tags: [lora, {family.lower()}, vqa, abo-vqa]
---

# Adapters for {base}, fused

Made by `trainer fuse` of abo-vqa with `{method}`; weights: {shares}.

Exact match by domain, on held-out questions about images that none of the adapters was trained on:

| {head} |
| {rule} |
{rows}
"""


@dataclass(frozen=True, slots=True)
class PretrainedFacts:
    """What the card of a model made from scratch says; exact match in [0, 1] on test images."""

    title: str
    credit: str
    remarks: str
    parameters: int
    exact_match: float
    exact_match_nf4: float
    prior_exact_match: float
    recipe: Mapping[str, object]
    train_images: int
    train_pairs: int
    test_images: int
    test_pairs: int
    data_sha256: str
    versions: Mapping[str, str]


def pretrained_card(facts: PretrainedFacts) -> str:
    """Return the README.md of a model folder made by ``trainer pretrain``."""
    recipe = json.dumps(facts.recipe, indent=2, default=str)
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    return f"""---
library_name: transformers
pipeline_tag: visual-question-answering
tags: [blip, vqa, abo-vqa]
---

# {facts.title}

`BlipForQuestionAnswering` with {facts.parameters:,} parameters, trained from scratch by
`trainer pretrain` of abo-vqa on {facts.train_pairs:,} questions about {facts.train_images:,}
images. The weights are an exponential moving average, kept in float16.

## How good it is

Exact match on {facts.test_pairs:,} questions about {facts.test_images:,} images that it never saw;
images are divided, not rows, and near-identical ones stay on one side.

| answers by | exact match |
| --- | --- |
| the question-only prior of the training split | {facts.prior_exact_match:.4f} |
| this model | {facts.exact_match:.4f} |
| this model in 4 bit (NF4) | {facts.exact_match_nf4:.4f} |

It is small, and made to show that a line of programs works; it knows the products, the words and
the mistakes of its data, and nothing else.

## How it was made

```json
{recipe}
```

SHA-256 of the pairs with their split: `{facts.data_sha256}`. Versions: {versions}.

{facts.remarks}

{facts.credit}
"""
