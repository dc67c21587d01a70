"""The cards of what is made of adapters: a merged model, a fused adapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


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
