"""Tallies that merge exactly, and scorecards that survive their file."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.scoring.figures import break_down
from evaluator.scoring.scorecard import FORMAT, Scorecard, read_scorecard, write_scorecard
from evaluator.scoring.sums.tally import Cell, Tally
from shared.errors import InputError

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a.jpg", "b.jpg", "c.jpg"]),
        st.sampled_from(["colour", "count"]),
        st.sampled_from(["frequent", "rare"]),
        st.one_of(st.floats(0, 1), st.just(float("nan"))),
        st.floats(0, 1),
    ),
    min_size=1,
    max_size=20,
)


def tally_of(rows) -> Tally:
    cells = [Cell(image, kind, rank) for image, kind, rank, *_ in rows]
    columns = {
        "vtgs": np.array([row[3] for row in rows], dtype=np.float64),
        "csns": np.array([row[4] for row in rows], dtype=np.float64),
    }
    return Tally.of(cells, columns)


@given(ROWS, st.data())
def test_any_sharding_in_any_order_gives_the_same_figures(rows, data):
    shuffled = data.draw(st.permutations(rows))
    cuts = sorted(data.draw(st.lists(st.integers(1, len(rows)), max_size=3)))
    bounds = [0, *cuts, len(rows)]
    shards = [shuffled[a:b] for a, b in pairwise(bounds) if a < b]
    merged = Tally.merge(tally_of(shard) for shard in shards)
    assert break_down(merged) == break_down(tally_of(rows))


@given(ROWS)
def test_means_and_deviations_equal_those_of_the_rows(rows):
    breakdown = break_down(tally_of(rows))
    assert breakdown.n == len(rows)
    scores = [row[4] for row in rows]
    figure = breakdown.metrics["csns"]
    assert figure.mean == pytest.approx(np.mean(scores), abs=1e-9)
    assert figure.std == pytest.approx(np.std(scores), abs=1e-5)
    assert (figure.ci95 is None) == (len({row[0] for row in rows}) == 1)
    for kind, group in breakdown.by_question_type.items():
        part = [row[4] for row in rows if row[1] == kind]
        assert (group.n, group.metrics["csns"].n) == (len(part), len(part))
        assert group.metrics["csns"].mean == pytest.approx(np.mean(part), abs=1e-9)


@given(ROWS)
def test_an_unknown_score_is_neither_zero_nor_counted(rows):
    scores = [row[3] for row in rows if not np.isnan(row[3])]
    figure = break_down(tally_of(rows)).metrics.get("vtgs")
    if not scores:
        assert figure is None
    else:
        assert figure.n == len(scores)
        assert figure.mean == pytest.approx(np.mean(scores), abs=1e-9)


def test_tallies_of_different_metrics_do_not_merge():
    tally = Tally.of([Cell("a", "count", "rare")], {"csns": np.ones(1)})
    other = Tally.of([Cell("a", "count", "rare")], {"vtgs": np.ones(1)})
    with pytest.raises(ValueError, match="same metrics"):
        Tally.merge([tally, other])
    with pytest.raises(ValueError, match="at least one"):
        Tally.merge([])


@pytest.fixture
def scorecard() -> Scorecard:
    rows = [
        ("a.jpg", "colour", "frequent", 0.5, 1.0),
        ("a.jpg", "count", "rare", float("nan"), 0.25),
        ("b.jpg", "colour", "frequent", 0.1, 0.0),
    ]
    breakdown = break_down(tally_of(rows))
    return Scorecard(
        images=2,
        units=2,
        clustered_by="image",
        broken_images=1,
        scores=breakdown,
        prior=breakdown,
        over_prior=breakdown.metrics,
        shuffled=breakdown,
        over_shuffled=breakdown.metrics,
        constants={"yes": breakdown.by_question_type["colour"]},
        signatures={"csns": "m|v1"},
        provenance={"model": "tiny"},
    )


def test_the_file_gives_the_scorecard_back(scorecard, tmp_path):
    write_scorecard(scorecard, tmp_path / "scorecard.json")
    assert read_scorecard(tmp_path / "scorecard.json") == scorecard


def test_the_file_has_the_form_of_the_contract(scorecard, tmp_path):
    write_scorecard(scorecard, tmp_path / "scorecard.json")
    value = json.loads((tmp_path / "scorecard.json").read_text())
    assert value["n"] == 3
    assert set(value["metrics"]["csns"]) == {"mean", "std", "n", "ci95"}
    assert value["metrics"]["csns"]["mean"] == pytest.approx(1.25 / 3)
    assert value["metrics"]["vtgs"]["n"] == 2
    assert value["by_question_type"]["colour"]["n"] == 2
    assert value["by_answer_frequency"]["rare"]["metrics"]["csns"]["ci95"] is None
    assert value["prior"]["metrics"]["csns"] == value["metrics"]["csns"]
    assert value["shuffled"]["metrics"]["csns"] == value["metrics"]["csns"]
    assert value["over_shuffled"] == value["metrics"]
    assert value["constants"]["yes"]["n"] == 2
    assert value["broken_images"] == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", f"not a scorecard of format {FORMAT}"),
        (f'{{"format": {FORMAT}, "n": 3}}', "a damaged scorecard"),
        ("[1]", "expected one JSON object"),
    ],
)
def test_what_is_no_scorecard_is_refused(text, reason, tmp_path):
    path = tmp_path / "scorecard.json"
    path.write_text(text)
    with pytest.raises(InputError, match=reason):
        read_scorecard(path)
