"""Model cards: what was trained, on what, how, and how good it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

CREDIT_ABO = """\
The training images and listing values are part of Amazon Berkeley Objects, (c) Amazon.com,
CC BY 4.0. Credit for the data set: Matthieu Guillaumin, Thomas Dideriksen, Kenan Deng, Himanshu
Arora, Arnab Dhua, Xi (Brian) Zhang, Tomas Yago-Vicente, Jasmine Collins, Shubham Goel, Jitendra
Malik. The questions and answers were written by a Gemini model and come from a public course
project on ABO (AIM825, 2025)."""


@dataclass(frozen=True, slots=True)
class AdapterFacts:
    """What an adapter's card says."""

    base: str
    base_revision: str
    quantization: str
    recipe: Mapping[str, object]
    pairs_by_split: Mapping[str, int]
    images_by_split: Mapping[str, int]
    data_sha256: str
    held_out: tuple[float, ...]
    base_held_out: float
    best_epoch: int
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
    return f"""---
library_name: peft
base_model: {facts.base}
pipeline_tag: visual-question-answering
tags: [lora, blip, vqa, abo-vqa]
---

# LoRA adapter for {facts.base}

Fine-tuned with `trainer fit` of abo-vqa. Base revision `{facts.base_revision}`, held in
`{facts.quantization}` while training.

## Held-out exact match

Share of validation questions answered exactly, on images that training did not see. The base
alone: {facts.base_held_out:.4f}. The weights here are those after epoch {facts.best_epoch}.

| epoch | exact match |
| --- | --- |
{rows}

`evaluator run` gives the scorecard on the test split.

## Data

| split | images | questions |
| --- | --- | --- |
{splits}

SHA-256 of the pairs: `{facts.data_sha256}`

## Recipe

```json
{recipe}
```

Versions: {versions}
"""
