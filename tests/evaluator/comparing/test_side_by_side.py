"""Scorecards side by side."""

import io
from dataclasses import replace

from rich.console import Console

from evaluator.comparing.side_by_side import Column, compare_scorecards
from evaluator.comparing.tables import comparison_table, signature_note
from evaluator.metrics.registry import METRICS
from evaluator.metrics.text_models.loaded import TextModels
from evaluator.scoring.scoring import score_predictions
from tests.evaluator.predictions import predicted


def scorecard():
    card, _ = score_predictions(
        [predicted("red", "red"), predicted("x", "red", image="b.jpg")],
        metrics=[METRICS["exact_match"]],
        text_models=TextModels(),
        train_pairs=None,
        provenance={},
    )
    return card


def test_figures_of_two_definitions_never_share_a_column():
    card = scorecard()
    first, other = "distilbert@1|layer 5|#11111111", "roberta@2|layer 10|#22222222"
    figure = card.scores.metrics["exact_match"]
    scores = replace(card.scores, metrics={**card.scores.metrics, "bertscore_f1": figure})
    cards = {
        name: replace(
            card, scores=scores, signatures={**card.signatures, "bertscore_f1": signature}
        )
        for name, signature in (("a", first), ("b", other), ("c", first))
    }
    comparison = compare_scorecards(cards)
    exact, *bertscores = comparison.columns
    assert exact.metric == "exact_match"
    assert bertscores == [Column("bertscore_f1", first), Column("bertscore_f1", other)]
    assert [row.name for row in comparison.rows if bertscores[0] in row.figures] == ["a", "c"]
    console = Console(file=io.StringIO(), width=100)
    console.print(comparison_table(cards))
    shown = console.file.getvalue()
    assert "distilbert, layer 5 #11111111" in shown
    assert "roberta, layer 10 #22222222" in shown
    note = signature_note(cards.values())
    assert "#22222222 bertscore_f1: roberta@2|layer 10" in note
    assert len(note.splitlines()) == 3


def test_one_prior_of_runs_with_other_metrics_or_last_digits_is_shown_once():
    card = scorecard()
    figure = card.scores.metrics["exact_match"]
    close = replace(figure, mean=figure.mean + 1e-9)
    prior = replace(card.scores, metrics={"exact_match": figure})
    with_more = replace(card.scores, metrics={"exact_match": close, "token_f1": figure})
    other = replace(card.scores, metrics={"exact_match": replace(figure, mean=0.25)})
    comparison = compare_scorecards(
        {
            "a": replace(card, prior=prior),
            "b": replace(card, prior=with_more),
            "c": replace(card, prior=other),
        }
    )
    once, apart, *_ = comparison.rows
    assert [row.name for row in comparison.rows] == [
        "question-only prior",
        "question-only prior (c)",
        "a",
        "b",
        "c",
    ]
    assert [column.metric for column in once.figures] == ["exact_match", "token_f1"]
    assert [figure.mean for figure in apart.figures.values()] == [0.25]
