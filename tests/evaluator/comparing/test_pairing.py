"""Rows of several runs side by side, what changed, and what is said about it."""

from dataclasses import replace

import pytest

from evaluator.comparing.differences import compare_runs
from evaluator.comparing.pairing import exact_match_gain, pair_rows
from evaluator.reporting.findings import findings
from evaluator.reporting.gallery import LIMIT, Outcome, arrange, choose_cards, count_outcomes
from shared.errors import InputError
from shared.images.source import image_source
from shared.records import Prediction, QAPair, pair_id, unnamed_image
from tests.evaluator.predictions import predicted
from tests.evaluator.run_folders import answers, draw_images, make_run


@pytest.fixture
def runs(tmp_path):
    base = make_run(tmp_path / "base", answers(40, wrong=range(20)))
    # Ten mended, two spoilt.
    tuned = make_run(tmp_path / "tuned", answers(40, wrong=[*range(10, 20), 30, 31])[::-1])
    return base, tuned


def test_rows_are_matched_whatever_their_order(runs):
    base, tuned = runs
    paired = pair_rows(runs)
    assert len(paired.rows) == 40
    assert paired.missing == 0
    for row, twin in paired.rows:
        assert base.predictions[row].pair == tuned.predictions[twin].pair


def test_outcomes_and_gain(runs):
    paired = pair_rows(runs)
    assert count_outcomes(runs, paired) == {
        Outcome.FIXED: 10,
        Outcome.BROKEN: 2,
        Outcome.CORRECT: 18,
        Outcome.WRONG: 10,
    }
    gain = exact_match_gain(*runs, paired)
    assert gain.mean == pytest.approx(0.2)
    low, high = gain.ci95
    assert 0 < low < 0.2 < high < 0.5
    assert gain.is_clear


def test_a_single_run_is_only_right_or_wrong(runs):
    assert count_outcomes(runs[:1], pair_rows(runs[:1])) == {
        Outcome.CORRECT: 20,
        Outcome.WRONG: 20,
    }


def test_questions_that_one_run_lacks_are_counted_not_guessed(tmp_path):
    base = make_run(tmp_path / "base", answers(6, wrong=[]))
    fewer = make_run(tmp_path / "fewer", answers(4, wrong=[0]))
    paired = pair_rows([base, fewer])
    assert (len(paired.rows), paired.missing) == (4, 2)
    assert any("4 questions that both answered" in text for text in findings([base, fewer]))


def test_the_same_question_with_another_reference_is_another_row(tmp_path):
    base = make_run(tmp_path / "a", [predicted("red", "red"), predicted("red", "blue")])
    other = make_run(tmp_path / "b", [predicted("red", "blue"), predicted("x", "green")])
    assert pair_rows([base, other]).rows == [(1, 0)]


def test_repeated_rows_are_matched_one_to_one(tmp_path):
    base = make_run(tmp_path / "a", [predicted("1", "red"), predicted("2", "red")])
    other = make_run(tmp_path / "b", [predicted("3", "red"), predicted("4", "red")])
    assert pair_rows([base, other]).rows == [(0, 0), (1, 1)]


def test_findings_tell_level_gain_and_prior(runs):
    level, gain, confidence = findings(runs)
    assert confidence == (
        "The confidence of “tuned” is off by 22.0 points on average (expected calibration error)."
    )
    assert level.startswith("Of 40 questions, “tuned” answers 70.0 % exactly (95 % interval ")
    assert " 45.0 points (95 % interval " in level
    assert level.endswith(") more than a guess that never sees the picture, which reaches 25.0 %.")
    assert gain.endswith(") more right.")
    assert gain.startswith("Compared with “base”, “tuned” gets 20.0 points (95 % interval ")


def test_findings_do_not_claim_what_the_interval_does_not_carry(tmp_path):
    base = make_run(tmp_path / "base", answers(20, wrong=[1]))
    other = make_run(tmp_path / "other", answers(20, wrong=[2]), train=None)
    level, gain, _ = findings([base, other])
    assert "No training data was given" in level
    assert "no clear difference: +0.0 points" in gain


def test_findings_say_when_guessing_does_as_well(tmp_path):
    rows = [predicted("red", "red", image=f"{i}.png") for i in range(10)]
    rows += [predicted("red", "blue", image=f"{i}.png") for i in range(10, 20)]
    (level,) = findings([make_run(tmp_path / "lazy", rows)])
    assert "do not show that the model looks at the picture" in level


def test_findings_mention_broken_images(tmp_path):
    rows = [*answers(3, wrong=[]), predicted("", "x", broken=True)]
    assert "1 picture could not be read" in findings([make_run(tmp_path / "r", rows)])[-1]


def test_cards_are_spread_over_outcomes_and_never_repeat_a_picture(runs, tmp_path):
    draw_images(tmp_path / "images", 39)  # number 39 is missing
    chosen, rest = arrange(runs, pair_rows(runs))
    assert rest == []
    cards = choose_cards(runs, chosen, image_source(str(tmp_path / "images")))
    assert [card.number for card in cards] == list(range(40))
    assert {card.outcome for card in cards[:4]} == set(Outcome)
    assert len({card.filename for card in cards}) == 40
    pictures = {card.filename: card.picture for card in cards}
    assert pictures["39.png"] is None
    assert pictures["0.png"].href.startswith("data:image/jpeg;base64,")
    assert (pictures["0.png"].width, pictures["0.png"].height) == (160, 107)
    assert [answer.run for answer in cards[0].answers] == ["base", "tuned"]


def test_what_a_page_has_no_room_for_is_the_rest(tmp_path):
    run = make_run(tmp_path / "many", answers(LIMIT + 30, wrong=range(40)))
    chosen, rest = arrange([run], pair_rows([run]))
    assert (len(chosen), len(rest)) == (LIMIT, 30)
    assert len({*chosen, *rest}) == LIMIT + 30


def row(answer, image, question, row_id="same", reference="red"):
    return Prediction(QAPair(row_id, question, reference, image), answer)


def test_an_id_that_is_the_images_pairs_nothing(tmp_path):
    asked = [("a.jpg", "what colour"), ("a.jpg", "what shape"), ("b.jpg", "what colour")]
    base = make_run(tmp_path / "a", [row(f"{n}", *asked[n], row_id=asked[n][0]) for n in range(3)])
    other = make_run(
        tmp_path / "b", [row(f"{n}", *asked[n], row_id=asked[n][0]) for n in (2, 1, 0)]
    )
    assert pair_rows([base, other]).rows == [(0, 2), (1, 1), (2, 0)]


def test_spelling_makes_no_other_row(tmp_path):
    base = make_run(tmp_path / "a", [row("x", "a.jpg", "What colour?", "1", "Dark-Red")])
    other = make_run(tmp_path / "b", [row("y", "a.jpg", "what  colour", "2", "darkred.")])
    assert pair_rows([base, other]).rows == [(0, 0)]


def test_ids_decide_among_rows_that_say_the_same(tmp_path):
    base = make_run(tmp_path / "a", [row("x", "a.jpg", "q", "1"), row("y", "a.jpg", "q", "2")])
    other = make_run(tmp_path / "b", [row("y", "a.jpg", "q", "2"), row("x", "a.jpg", "q", "1")])
    assert pair_rows([base, other]).rows == [(0, 1), (1, 0)]


@pytest.mark.parametrize(
    ("ids", "questions", "rows"),
    [
        # By ids of their own; by questions; by their order, where it is one; not at all.
        (["7", "8"], [["q", "q"], ["q", "q"]], [(0, 1), (1, 0)]),
        (["", ""], [["q", "r"], ["r", "q"]], [(0, 1), (1, 0)]),
        (["", ""], [["q", "q"], ["q", "q"]], [(0, 0), (1, 1)]),
        (["", "", ""], [["q", "q", "r"], ["r", "q", "q"]], [(2, 0)]),
        (["7", "7", "7"], [["q", "q", "r"], ["r", "q", "q"]], [(2, 0)]),
    ],
)
def test_rows_without_image_names_are_paired_by_what_tells_them_apart(
    tmp_path, ids, questions, rows
):
    runs = []
    for name, asked, own in zip("ab", questions, (ids, ids[::-1]), strict=True):
        images = [unnamed_image(n) for n in range(1, len(asked) + 1)]
        predictions = [
            row("x", image, question, row_id or pair_id(image, question))
            for image, question, row_id in zip(images, asked, own, strict=True)
        ]
        runs.append(make_run(tmp_path / name, predictions))
    paired = pair_rows(runs)
    assert paired.rows == rows
    assert paired.missing == len(ids) - len(rows)
    assert runs[0].scorecard.images == 0
    assert runs[0].scorecard.clustered_by == "row"


def test_an_id_that_asks_something_else_in_the_other_run_is_no_rows_name(tmp_path):
    asked = [("1", "q"), ("2", "r"), ("3", "q")]
    base = [
        row("x", unnamed_image(n), question, row_id)
        for n, (row_id, question) in enumerate(asked, start=1)
    ]
    # Numbered anew, in another order.
    turned = [
        replace(each, pair=replace(each.pair, id=str(n), filename=unnamed_image(n)))
        for n, each in enumerate([base[0], base[2], base[1]], start=1)
    ]
    runs = [make_run(tmp_path / "a", base), make_run(tmp_path / "b", turned)]
    # By their numbers, the first rows would be one; they may be about two pictures.
    assert pair_rows(runs).rows == [(1, 2)]


@pytest.mark.parametrize(
    ("images", "others", "why"),
    [
        (["a/1.png", "a/2.png"], ["1", "2"], "such as 'a/1.png' and '1'; score both with --images"),
        (["1.png", "2.png"], ["row 1", "row 2"], "one of them names no images; give both"),
        (["row 1", "row 2"], ["row 1", "row 2"], "in another order and name no image"),
    ],
)
def test_why_no_row_pairs_is_told_with_the_way_out(tmp_path, images, others, why):
    asked = [(image, reference) for reference in ("red", "blue") for image in images]
    named = dict(zip(images, others, strict=True))
    base, other = (
        make_run(tmp_path / name, [row("x", i, "q", pair_id(i, "q"), ref) for i, ref in rows])
        for name, rows in (("a", asked), ("b", [(named[i], ref) for i, ref in asked[::-1]]))
    )
    with pytest.raises(InputError, match=f"a and b have no row in common: .*{why}"):
        compare_runs(base, other)


def test_why_rows_that_repeat_do_not_pair_is_told_where_others_do(tmp_path):
    asked = ["what", "where", "what", "why"]
    base, other = (
        make_run(
            tmp_path / name,
            [
                row("x", unnamed_image(n), question, pair_id(unnamed_image(n), question))
                for n, question in enumerate(questions, start=1)
            ],
        )
        for name, questions in (("a", asked), ("b", asked[::-1]))
    )
    assert len(pair_rows([base, other]).rows) == 2
    with pytest.raises(InputError, match=r"2 rows that pair with none: both ask the same in anoth"):
        compare_runs(base, other)
