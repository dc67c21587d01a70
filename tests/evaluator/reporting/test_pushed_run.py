"""A run's figures go onto the card of the model that answered, and of no other."""

from __future__ import annotations

import json

import pytest
from huggingface_hub import ModelCard

from evaluator.commands.push import push
from evaluator.runs.record import EvaluationRecord, write_record
from shared.errors import InputError
from shared.hub.model_card import card_for_hub
from tests.evaluator.run_folders import answers, make_run
from tests.fakes.hub_that_takes import Repository, hub_in_use

NAME = "me/shoes"
CARD = card_for_hub("---\nlicense: mit\n---\n# Shoes\n", NAME, weights="a" * 64)


@pytest.fixture
def hub(monkeypatch, tmp_path_factory):
    with hub_in_use(monkeypatch, tmp_path_factory.mktemp("cache")) as server:
        files = {"README.md": CARD.encode(), "adapter_model.safetensors": b"weights"}
        server.repositories["model", NAME] = Repository(False, files)
        yield server


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "my run"
    folder.mkdir()
    make_run(folder, answers(8, wrong=[1]))
    write_record(folder, EvaluationRecord(name="my run"))
    known(folder, adapter_sha256="a" * 64)
    return folder


def known(folder, **facts):
    """Have a run's scorecard know more of how it was made."""
    path = folder / "scorecard.json"
    value = json.loads(path.read_text())
    value["provenance"] |= {"data": str(folder / "pairs.csv"), "images": str(folder), **facts}
    path.write_text(json.dumps(value))


def test_the_figures_stand_on_the_card_and_the_scorecard_beside_it(hub, run, tmp_path, capsys):
    repository = hub.repositories["model", NAME]
    push(run, NAME, dry_run=True)
    assert repository.messages == []
    push(run, NAME)
    assert repository.messages == ["Add the figures of my run"]
    card = ModelCard(repository.files["README.md"].decode())
    exact = next(each for each in card.data.eval_results if each.metric_type == "exact_match")
    assert exact.metric_value == 0.875
    assert exact.dataset_name == "pairs.csv"
    sent = json.loads(repository.files["evaluation/my-run/scorecard.json"])
    assert sent["metrics"]["exact_match"]["mean"] == 0.875
    assert sent["provenance"]["data"] == "pairs.csv"
    assert str(tmp_path) not in json.dumps(sent)
    assert "trained on" not in card.text
    told = capsys.readouterr().out
    assert "licence: mit" in told
    assert "left out: the answers" in told
    assert "evaluation/my-run/predictions.csv" not in repository.files
    page = tmp_path / "page.html"
    page.write_text("<title>A report</title>")
    push(run, NAME, predictions=True, report=page)
    assert repository.files["evaluation/my-run/report.html"] == page.read_bytes()
    assert repository.files["evaluation/my-run/predictions.csv"].startswith(b"id,")
    push(run, NAME, predictions=True, report=page)
    assert len(repository.messages) == 2
    assert repository.files["adapter_model.safetensors"] == b"weights"


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({"adapter_sha256": "b" * 64}, "its figures are of other weights"),
        ({"adapter_sha256": "", "revision": "sha256:1"}, "its figures are of other weights"),
        ({"adapter_sha256": ""}, "nothing tells that me/shoes is what answered"),
    ],
)
def test_figures_of_another_model_are_refused_unless_agreed(hub, run, facts, line):
    known(run, **facts)
    with pytest.raises(InputError, match=line):
        push(run, NAME)
    assert hub.repositories["model", NAME].messages == []
    push(run, NAME, yes=True)
    assert len(hub.repositories["model", NAME].messages) == 1


def test_a_model_that_was_asked_by_its_name_on_the_hub_is_the_one(hub, run):
    known(run, adapter_sha256="", revision="0123", model=NAME)
    push(run, NAME)
    assert len(hub.repositories["model", NAME].messages) == 1


def test_what_is_missing_is_told_in_one_line(hub, run, tmp_path):
    with pytest.raises(InputError, match="no scorecard; give the folder"):
        push(tmp_path, NAME)
    with pytest.raises(InputError, match="`trainer push` makes one"):
        push(run, "me/none")
    with pytest.raises(InputError, match=r"page.html: no such file"):
        push(run, NAME, report=tmp_path / "page.html")
    assert hub.repositories["model", NAME].messages == []


def test_a_card_says_that_scored_images_had_been_trained_on(hub, run):
    counts = {"became": "left out", "images": 3, "of_images": 11, "scored": 8, "pretrained_on": 6}
    known(run, trained_on=counts)
    push(run, NAME)
    card = ModelCard(hub.repositories["model", NAME].files["README.md"].decode())
    assert {each.metric_args["images_seen_in_training"] for each in card.data.eval_results} == {6}
    assert "Of the 8 images of pairs.csv, the model was trained on at least 6" in card.text


@pytest.mark.parametrize("with_answers", [False, True])
def test_answers_under_changes_stay_and_are_named(hub, run, capsys, with_answers):
    (run / "changes").mkdir()
    (run / "changes" / "turned=15.parquet").write_bytes((run / "predictions.parquet").read_bytes())
    for dry_run in (True, False):
        push(run, NAME, predictions=with_answers, dry_run=dry_run)
        assert "left out: changes/ (the answers under changes; " in capsys.readouterr().out
    assert not any("changes" in name for name in hub.repositories["model", NAME].files)
