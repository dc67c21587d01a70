"""The cards of what is made of adapters: a merged model, a fused adapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.hub.figures import CardFigure
from shared.hub.model_card import adapter_facts, card_head, model_facts


def merged_card(
    *,
    name: str,
    base: str,
    family: str,
    figure: CardFigure,
    quantization: str,
    made: str,
    exact_match: Mapping[str, float],
) -> str:
    """Return the README.md of a merged model, whose own score is ``figure``.

    ``made`` says what its weights are.
    """
    rows = "\n".join(f"| {stage} | {value:.4f} |" for stage, value in exact_match.items())
    head = card_head(name, [figure], {**model_facts(family), "base_model": base})
    return f"""{head}

# {base} with an adapter merged in

Made by `trainer merge` of abo-vqa: {made}. The base was held in
`{quantization}` while the adapter was trained.

Exact match on the {figure.n} {figure.split} questions kept beside the adapter:

| model | exact match |
| --- | --- |
{rows}
"""


def fused_card(
    *,
    name: str,
    base: str,
    family: str,
    method: str,
    weights: Mapping[str, float],
    domains: Sequence[tuple[str, str, int, Mapping[str, float]]],
    figures: Sequence[CardFigure],
) -> str:
    """Return the README.md of a fused adapter; ``domains`` has name, split, pairs and scores.

    ``figures`` are the fused adapter's own.
    """
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
    return f"""{card_head(name, figures, adapter_facts(base, family))}

# Adapters for {base}, fused

Made by `trainer fuse` of abo-vqa with `{method}`; weights: {shares}.

Exact match by domain, on held-out questions about images that none of the adapters was trained on:

| {head} |
| {rule} |
{rows}
"""
