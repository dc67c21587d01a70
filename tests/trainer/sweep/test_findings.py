"""What a sweep says about its trials, by figures worked out by hand."""

import csv
from xml.etree import ElementTree as ET

import pytest

from trainer.commands.printing.tables import sweep_table
from trainer.sweep.chart import sweep_chart
from trainer.sweep.files import findings_json, write_trials_csv
from trainer.sweep.findings import find, sentences
from trainer.sweep.outcome import Outcome, State
from trainer.sweep.space import Combination, Trial


def outcome(rank, rate, seed, *held_out, state=State.FINISHED, reason=""):
    combination = Combination(rank, 32, 0.05, ("query", "value"), rate)
    return Outcome(Trial(combination, seed), state, held_out, 0.1, reason)


OUTCOMES = [
    outcome(4, 1e-4, 0, 0.3, 0.4),
    outcome(4, 1e-4, 1, 0.2, 0.2),
    outcome(4, 1e-3, 0, 0.5, 0.4),
    outcome(4, 1e-3, 1, 0.5, 0.7),
    outcome(16, 1e-4, 0, 0.9, state=State.STOPPED_EARLY),
    outcome(16, 1e-4, 1, 0.1, 0.1),
    outcome(16, 1e-3, 0, 0.6, 0.8),
    outcome(16, 1e-3, 1, state=State.FAILED, reason="step 2: diverged"),
]


@pytest.fixture
def findings():
    return find(OUTCOMES, ["rank", "learning_rate"])


def test_combinations_stand_in_the_order_of_their_means(findings):
    ranked = [(row.combination.rank, row.combination.learning_rate) for row in findings.scored]
    assert ranked == [(16, 1e-3), (4, 1e-3), (16, 1e-4), (4, 1e-4)]
    assert [row.mean for row in findings.scored] == pytest.approx([0.8, 0.6, 0.5, 0.3])
    # Sample deviation of two values: their distance over the square root of 2.
    assert findings.scored[1].spread == pytest.approx(0.2 / 2**0.5)
    assert findings.scored[0].spread is None


def test_the_best_is_one_whose_every_seed_was_trained_to_its_end(findings):
    # One stopped early cannot win with the score of one lucky epoch.
    assert [row.whole for row in findings.scored] == [True, True, False, True]
    early = find([OUTCOMES[4], *OUTCOMES[:2]], ["rank"])
    assert early.best.combination.rank == 4
    assert early.best.best_seed.trial.seed == 0


def test_a_settings_effect_is_the_range_of_its_marginal_means(findings):
    rate, rank = findings.effects
    assert (rate.setting, rank.setting) == ("learning_rate", "rank")
    assert {m.value: (m.mean, m.n) for m in rate.marginals} == {
        "0.0001": (pytest.approx((0.3 + 0.5) / 2), 2),
        "0.001": (pytest.approx((0.6 + 0.8) / 2), 2),
    }
    assert rate.size == pytest.approx(0.3)
    assert rank.size == pytest.approx((0.5 + 0.8) / 2 - (0.3 + 0.6) / 2)


def test_the_words_name_base_best_chance_and_failures(findings):
    words = "\n".join(sentences(findings))
    pooled = ((0.02 + 0.02 + 0.32) / 3) ** 0.5
    assert "base alone: exact match 0.1000" in words
    assert "best: learning_rate 0.001, rank 16: exact match 0.8000" in words
    assert f"the seed alone moves exact match by {pooled:.4f}" in words
    assert (
        "learning_rate moves the mean by 0.3000 (0.0001: 0.4000, 0.001: 0.7000), no more" in words
    )
    assert "1 of 8 trials were stopped early" in words
    assert "step 2: diverged" in words


def test_a_sweep_that_gained_nothing_says_so_and_that_one_seed_may_be_chance():
    words = sentences(find([outcome(4, 1e-4, 0, 0.05), outcome(16, 1e-4, 0, 0.1)], ["rank"]))
    assert "no better than the base alone: try other values, or more data" in words
    assert any(line.startswith("one seed alone") for line in words)


def test_nothing_is_said_of_trials_that_never_began():
    nothing = find([outcome(4, 1e-4, 0, state=State.UNFINISHED)], ["rank"])
    assert nothing.best is None
    assert sentences(nothing) == ["no trial came to the end of its first epoch"]


def test_the_files_have_every_trial(findings, tmp_path):
    write_trials_csv(OUTCOMES, tmp_path / "sweep.csv")
    with (tmp_path / "sweep.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["exact_match"] for row in rows] == [
        "0.4", "0.2", "0.5", "0.7", "0.9", "0.1", "0.8", "",
    ]  # fmt: skip
    assert rows[2]["best_epoch"] == "1"
    written = findings_json(findings)
    assert written["best"]["rank"] == 16
    assert written["best"]["folder"].endswith("seed-0")
    assert len(written["trials"]) == len(OUTCOMES)
    assert sweep_table(findings).row_count == 4


def test_the_chart_has_a_dot_for_each_trial_in_each_panel(findings):
    svg = ET.fromstring(sweep_chart(findings, epochs=2))
    namespace = "{http://www.w3.org/2000/svg}"
    panels = svg.findall(f"{namespace}g")
    titles = [panel.find(f"{namespace}text").text for panel in panels]
    assert titles == ["learning_rate", "rank", "epoch"]
    width, height = (float(svg.get(side)) for side in ("width", "height"))
    for panel in panels:
        dots = panel.findall(f"{namespace}circle")
        assert len(dots) == sum(bool(trial.held_out) for trial in OUTCOMES)
        assert sum("stopped" in dot.get("class") for dot in dots) == 1
        for dot in dots:
            assert 0 < float(dot.get("cx")) < width
            assert 0 < float(dot.get("cy")) < height
    higher = {
        dot.find(f"{namespace}title").text: float(dot.get("cy"))
        for dot in panels[0].findall(f"{namespace}circle")
    }
    grid = [text.text for text in panels[0] if text.get("class") == "end"]
    assert grid == ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]
    by_score = sorted(higher, key=lambda text: float(text.split(": ")[1].split()[0]))
    assert [higher[text] for text in by_score] == sorted(higher.values(), reverse=True)
