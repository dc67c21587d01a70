"""The card of a model from scratch: how it was made, and how good it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from shared.hub.figures import CardFigure
from shared.hub.model_card import card_head, model_facts


@dataclass(frozen=True, slots=True)
class PretrainedFacts:
    """What the card of a model made from scratch says; exact match in [0, 1] on test images."""

    name: str
    data: str
    title: str
    credit: str
    taught_by: str
    remarks: str
    began: str
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
    tested = CardFigure(
        "exact_match", facts.exact_match, facts.test_pairs, data=facts.data, split="test"
    )
    taught = ""
    if facts.taught_by:
        taught = (
            f"\nBefore and while it learned to answer, it was taught by {facts.taught_by}.\n"
            "Nothing of that is in its file of weights.\n"
        )
    return f"""{card_head(facts.name, [tested], model_facts("blip"))}

# {facts.title}

`BlipForQuestionAnswering` with {facts.parameters:,} parameters, trained from {facts.began} by
`trainer pretrain` of abo-vqa on {facts.train_pairs:,} questions about {facts.train_images:,}
images. The weights are an exponential moving average, kept in float16.
{taught}
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
