"""An evaluation from pairs to scorecard, resumed where it stopped."""

import shutil
from dataclasses import replace

import pytest

from evaluator.answering.attention import unpack_attention
from evaluator.answering.fleet import LocalFleet
from evaluator.answering.messages import BROKEN_IMAGE_ANSWER
from evaluator.answering.replica import Replica
from evaluator.runs.answers import ShardsGivenUp
from evaluator.runs.folder import read_run, shard_path
from evaluator.runs.run import evaluate
from evaluator.scoring.controls import other_images
from shared.errors import InputError
from shared.questions.answers import exact_match
from shared.records import Question
from shared.records.boxes import Box
from tests.evaluator.replicas import CountingFleet, evaluation_of, no_text_models, settings_for
from tests.fakes.clock import FakeClock


@pytest.fixture
def fleet(tiny_model, pictures):
    return CountingFleet(settings_for(tiny_model, pictures[0]))


@pytest.fixture(scope="module")
def pairs(tiny_model, pictures):
    """Pairs of which the tiny model knows every third answer."""
    replica = Replica(settings_for(tiny_model, pictures[0]))
    known = {
        reply.question_id: reply.answer
        for reply in replica.answer(
            [Question(pair.id, pair.question, pair.filename) for pair in pictures[1]]
        )
    }
    return [
        replace(pair, answer=known[pair.id]) if row % 3 == 0 and known[pair.id] else pair
        for row, pair in enumerate(pictures[1])
    ]


def never():
    raise AssertionError("no model is needed")


def test_the_scorecard_is_that_of_the_answers(tmp_path, fleet, pairs):
    scorecard = evaluate(
        evaluation_of(pairs), tmp_path / "run", lambda: fleet, no_text_models, FakeClock()
    )
    run = read_run(tmp_path / "run")
    assert fleet.asked == [0, 1, 2, 3]
    assert {p.pair.id for p in run.predictions} == {pair.id for pair in pairs}
    right = [exact_match(p.answer, p.pair.answer) for p in run.predictions]
    assert 0 < sum(right) < len(right)
    mean = scorecard.scores.metrics["exact_match"].mean
    assert mean == pytest.approx(sum(right) / len(right))
    assert run.columns["exact_match"].tolist() == right
    assert run.scorecard == scorecard


def test_whoever_answered_is_let_go_before_anything_is_scored(tmp_path, fleet, pairs):
    order = []

    def text_models():
        order.append("scored")
        return no_text_models()

    evaluate(
        *(evaluation_of(pairs), tmp_path / "run", lambda: fleet, text_models, FakeClock()),
        answered=lambda: order.append("let go"),
    )
    assert order == ["let go", "scored"]


def test_regions_are_held_against_the_boxes_of_the_pairs_that_have_some(
    tmp_path, tiny_model, pictures
):
    left = (Box(0, 0, 0.5, 1),)
    pairs = [
        replace(pair, boxes=left if row % 2 else ()) for row, pair in enumerate(pictures[1][:8])
    ]
    fleet = CountingFleet(settings_for(tiny_model, pictures[0], measure_grounding=True))
    scorecard = evaluate(
        evaluation_of(pairs), tmp_path / "run", lambda: fleet, no_text_models, FakeClock()
    )
    for prediction in read_run(tmp_path / "run").predictions:
        seen = unpack_attention(prediction.attention).answer_region_RC
        if not prediction.pair.boxes:
            assert prediction.grounding_boxes is None
            continue
        half = seen.shape[1] // 2
        inside, outside = seen[:, :half].sum(), seen[:, half:].sum()
        expected = inside / (half * len(seen) + outside)
        assert prediction.grounding_boxes == pytest.approx(expected)
    assert scorecard.provenance["questions_with_boxes"] == 4


def test_the_run_says_which_model_made_it(tmp_path, fleet, pairs):
    scorecard = evaluate(
        evaluation_of(pairs), tmp_path / "run", lambda: fleet, no_text_models, FakeClock()
    )
    provenance = scorecard.to_json()["provenance"]
    assert provenance["revision"].startswith("sha256:")
    assert provenance["quantization"] == "none"
    assert provenance["adapter_effect"] is None


def test_the_adapters_effect_is_on_the_scorecard(
    tmp_path, tiny_model, tiny_adapter, pictures, pairs
):
    fleet = CountingFleet(settings_for(tiny_model, pictures[0], adapter=tiny_adapter))
    evaluation = evaluation_of(pairs, adapter=str(tiny_adapter))
    scorecard = evaluate(evaluation, tmp_path / "run", lambda: fleet, no_text_models, FakeClock())
    effect = scorecard.to_json()["provenance"]["adapter_effect"]
    assert 0 < effect["changed"] <= effect["checked"] == 10  # the questions of the first shard


def test_a_run_that_lacks_a_shard_answers_that_one_alone(tmp_path, fleet, pairs):
    first = evaluate(
        evaluation_of(pairs), tmp_path / "run", lambda: fleet, no_text_models, FakeClock()
    )
    shard_path(tmp_path / "run", 2).unlink()
    (tmp_path / "run" / "scorecard.json").unlink()
    fleet.asked.clear()
    again = evaluate(
        evaluation_of(pairs), tmp_path / "run", lambda: fleet, no_text_models, FakeClock()
    )
    assert fleet.asked == [2]
    assert again == first


def test_a_run_with_every_shard_loads_no_model(tmp_path, fleet, pairs):
    first = evaluate(
        evaluation_of(pairs), tmp_path / "run", lambda: fleet, no_text_models, FakeClock()
    )
    assert (
        evaluate(evaluation_of(pairs), tmp_path / "run", never, no_text_models, FakeClock())
        == first
    )


def test_a_folder_of_another_run_is_refused_and_stays_as_it_was(tmp_path, fleet, pairs):
    folder = tmp_path / "run"
    evaluate(evaluation_of(pairs), folder, lambda: fleet, no_text_models, FakeClock())
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=r"--out .*run: holds a run with another model"):
        evaluate(evaluation_of(pairs, model="other"), folder, never, no_text_models, FakeClock())
    with pytest.raises(InputError, match="give another folder"):
        evaluate(evaluation_of(pairs[1:]), folder, never, no_text_models, FakeClock())
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    (tmp_path / "predictions.csv").write_text("mine")
    with pytest.raises(InputError, match=r"holds a predictions\.csv that would be written over"):
        evaluate(evaluation_of(pairs), tmp_path, never, no_text_models, FakeClock())
    (folder / "run.json").write_text('{"command": "evaluator score"}')
    with pytest.raises(InputError, match="holds a run of `evaluator score`"):
        evaluate(evaluation_of(pairs), folder, never, no_text_models, FakeClock())


def test_bad_input_before_the_first_answer_leaves_nothing(tmp_path, fleet, pairs):
    def nobody():
        raise InputError("nobody is there")

    for folder in (tmp_path / "runs" / "a", tmp_path):
        with pytest.raises(InputError, match=r"^nobody is there$"):
            evaluate(evaluation_of(pairs), folder, nobody, no_text_models, FakeClock())
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match=r"^nobody is there; the answers are kept in .* same com"):
        evaluate(evaluation_of(pairs), tmp_path, lambda: fleet, nobody, FakeClock())
    evaluate(evaluation_of(pairs), tmp_path, never, no_text_models, FakeClock())


def test_a_file_is_no_run_folder(tmp_path, pairs):
    (tmp_path / "run").write_text("in the way")
    with pytest.raises(InputError, match="is a file; give a folder"):
        evaluate(evaluation_of(pairs), tmp_path / "run", never, no_text_models, FakeClock())


def test_the_same_question_with_two_answers_is_scored_twice(tmp_path, fleet, pairs):
    twice = [*pairs, replace(pairs[4], answer="another answer"), pairs[4]]
    scorecard = evaluate(
        evaluation_of(twice), tmp_path / "run", lambda: fleet, no_text_models, FakeClock()
    )
    assert scorecard.to_json()["n"] == len(pairs) + 2
    asked = [p for p in read_run(tmp_path / "run").predictions if p.pair.id == pairs[4].id]
    assert len({p.answer for p in asked}) == 1
    expected = sorted([pairs[4].answer, pairs[4].answer, "another answer"])
    assert sorted(p.pair.answer for p in asked) == expected


def test_a_broken_image_is_counted_and_scores_nothing(tmp_path, tiny_model, pictures, pairs):
    images = shutil.copytree(pictures[0], tmp_path / "images")
    (images / "003.png").write_bytes(b"not an image")
    fleet = CountingFleet(settings_for(tiny_model, images))
    scorecard = evaluate(
        evaluation_of(pairs), tmp_path / "run", lambda: fleet, no_text_models, FakeClock()
    )
    run = read_run(tmp_path / "run")
    assert len(run.predictions) == len(pairs)
    for prediction, score in zip(run.predictions, run.columns["exact_match"], strict=True):
        broken = prediction.pair.filename == "003.png"
        assert prediction.broken_image == broken
        if broken:
            assert prediction.answer == BROKEN_IMAGE_ANSWER
            assert score == 0
    assert scorecard.broken_images == 1


def test_the_order_of_rows_changes_no_score(tmp_path, fleet, pairs):
    cards = [
        evaluate(evaluation_of(rows), tmp_path / name, lambda: fleet, no_text_models, FakeClock())
        for name, rows in (("a", pairs), ("b", pairs[::-1]))
    ]
    assert cards[0].scores == cards[1].scores


class GivesUpTheSecond(LocalFleet):
    """As a fleet does whose replicas all died of one shard."""

    def answered_shards(self, shards, heard):
        for answers in super().answered_shards(shards, heard):
            given_up = answers.shard.index == 1
            yield replace(answers, replies=None, reason="died") if given_up else answers


def test_a_run_without_a_shard_keeps_the_rest_and_asks_for_that_one_again(
    tmp_path, fleet, pairs, tiny_model, pictures
):
    giving_up = GivesUpTheSecond(Replica(settings_for(tiny_model, pictures[0])))
    with pytest.raises(ShardsGivenUp, match=r"1 of 4 shards .*\(1\)"):
        evaluate(
            evaluation_of(pairs), tmp_path / "run", lambda: giving_up, no_text_models, FakeClock()
        )
    assert not (tmp_path / "run" / "scorecard.json").exists()
    fleet.asked.clear()
    evaluate(evaluation_of(pairs), tmp_path / "run", lambda: fleet, no_text_models, FakeClock())
    assert fleet.asked == [1]
    evaluate(evaluation_of(pairs), tmp_path / "whole", lambda: fleet, no_text_models, FakeClock())
    cards = [(tmp_path / name / "scorecard.json").read_bytes() for name in ("run", "whole")]
    assert cards[0] == cards[1]


def test_the_shuffled_control_asks_the_same_about_other_pictures(
    tmp_path, fleet, pairs, tiny_model, pictures
):
    shown = other_images((pair.filename for pair in pairs), sample=8, seed=3)
    evaluation = replace(evaluation_of(pairs), shown_instead=shown)
    scorecard = evaluate(evaluation, tmp_path / "run", lambda: fleet, no_text_models, FakeClock())
    plain = evaluate(
        evaluation_of(pairs), tmp_path / "plain", lambda: fleet, no_text_models, FakeClock()
    )
    assert scorecard.scores == plain.scores
    asked = [pair for pair in pairs if pair.filename in shown]
    replies = Replica(settings_for(tiny_model, pictures[0])).answer(
        [Question(str(row), p.question, shown[p.filename]) for row, p in enumerate(asked)]
    )
    said = {reply.question_id: reply.answer for reply in replies}
    right = [exact_match(said[str(row)], pair.answer) for row, pair in enumerate(asked)]
    blind = scorecard.shuffled
    assert blind is not None
    assert (blind.n, blind.metrics["exact_match"].mean) == (len(asked), sum(right) / len(right))
    run = read_run(tmp_path / "run")
    scored = zip(run.predictions, run.columns["exact_match"], strict=True)
    seen = [score for p, score in scored if p.pair.filename in shown]
    lead = scorecard.over_shuffled["exact_match"]
    assert lead.mean == pytest.approx(sum(seen) / len(seen) - sum(right) / len(right))
    # A second look at the folder needs no model for the control either.
    assert evaluate(evaluation, tmp_path / "run", never, no_text_models, FakeClock()) == scorecard
