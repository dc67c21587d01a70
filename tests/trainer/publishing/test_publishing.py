"""An adapter goes to a hub with its card, the figures of its scorecard, and nothing else."""

from __future__ import annotations

import json
import shutil

import pytest
from huggingface_hub import EvalResult, ModelCard

from shared.errors import InputError
from shared.hub.figures import CardFigure
from shared.hub.model_card import adapter_facts, card_head
from shared.vqa.adapting.adapter_files import adapter_digest
from tests.fakes.hub_that_takes import hub_in_use
from trainer.commands.push import push

NAME = "me/shoes"
CARD = card_head(
    "out",
    [CardFigure("exact_match", 0.25, 8, "pairs.csv", "validation")],
    adapter_facts("Salesforce/blip-vqa-base", "BLIP"),
)


@pytest.fixture
def hub(monkeypatch, tmp_path_factory):
    with hub_in_use(monkeypatch, tmp_path_factory.mktemp("cache")) as server:
        yield server


@pytest.fixture
def adapter(tiny_adapter, tmp_path):
    """A finished run's folder, with all that a run leaves there."""
    folder = shutil.copytree(tiny_adapter, tmp_path / "out")
    (folder / "README.md").write_text(f"{CARD}\n\n# LoRA\n\nText.\n")
    (folder / "dataset").mkdir()
    (folder / "training.lock").touch()
    (folder / "training.jsonl").write_text("{}\n")
    (folder / "keys.toml").write_text("secret\n")
    return folder


def scorecard(folder, adapter_sha256, mean=0.5, split="test"):
    folder.mkdir(exist_ok=True)
    figure = {"mean": mean, "std": 0.5, "n": 40, "ci95": [0.4, 0.6]}
    value = {
        "format": 2,
        "n": 40,
        "metrics": {"exact_match": figure, "token_f1": {**figure, "ci95": None}},
        "signatures": {"exact_match": "lower|#1234"},
        "provenance": {
            "data": "hf://datasets/shop/lamps@main",
            "split": split,
            "adapter_sha256": adapter_sha256,
        },
    }
    (folder / "scorecard.json").write_text(json.dumps(value))
    return folder


def test_the_hubs_own_reader_finds_the_figures_of_fit_and_scorecard(hub, adapter, tmp_path, capsys):
    run = scorecard(tmp_path / "run", adapter_digest(adapter))
    push(adapter, NAME, scorecard=run, license_name="apache-2.0")
    files = hub.repositories["model", NAME].files
    (tmp_path / "card.md").write_bytes(files["README.md"])
    card = ModelCard.load(tmp_path / "card.md")
    validation, exact, f1 = card.data.eval_results
    assert (validation.metric_value, validation.dataset_split) == (0.25, "validation")
    assert exact == EvalResult(
        task_type="visual-question-answering",
        task_name="Visual Question Answering",
        dataset_type="shop/lamps",
        dataset_name="lamps@main",
        dataset_split="test",
        metric_type="exact_match",
        metric_name="exact match",
        metric_value=0.5,
        metric_args={"questions": 40, "ci95": [0.4, 0.6], "signature": "lower|#1234"},
    )
    assert f1.metric_args == {"questions": 40}
    assert card.data.license == "apache-2.0"
    assert card.data.base_model == "Salesforce/blip-vqa-base"
    assert "| lamps@main | test | exact match | 0.5000 | 0.4000 to 0.6000 | 40 |" in card.text
    # Of all else in the folder the model's own files alone.
    own = {"README.md", "adapter_config.json", "adapter_model.safetensors", ".gitattributes"}
    assert set(files) <= own | {"training_images.parquet", "question_folding.json"}
    told = capsys.readouterr().out
    assert "left out: keys.toml (not the model)" in told
    assert "left out: dataset/ (the pairs that it learned from" in told
    # Scored anew, a figure takes the place of the one of before.
    push(adapter, NAME, scorecard=scorecard(run, adapter_digest(adapter), mean=0.75))
    again = ModelCard(hub.repositories["model", NAME].files["README.md"].decode())
    assert [result.metric_value for result in again.data.eval_results] == [0.25, 0.75, 0.75]
    assert again.text.count("## Scores") == 1


def test_a_scorecard_of_another_adapter_is_refused(hub, adapter, tmp_path):
    for digest in ("0" * 64, ""):
        with pytest.raises(InputError, match="its figures are not of these weights"):
            push(adapter, NAME, scorecard=scorecard(tmp_path / "run", digest))
    with pytest.raises(InputError, match="no scorecard; give the folder"):
        push(adapter, NAME, scorecard=tmp_path)
    assert hub.asked == []


def test_what_is_no_adapter_and_no_model_is_refused(hub, adapter, tmp_path):
    with pytest.raises(InputError, match="no such adapter folder"):
        push(tmp_path / "none", NAME)
    (adapter / "checkpoint").mkdir()
    with pytest.raises(InputError, match="its run is not finished"):
        push(adapter, NAME)
    (adapter / "checkpoint").rmdir()
    for content, words in ((b"---\n- a\n---\n", "its head cannot be read"), (b"\xff", "as UTF-8")):
        (adapter / "README.md").write_bytes(content)
        with pytest.raises(InputError, match=rf"out/README.md: .*{words}"):
            push(adapter, NAME)
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="has no weights"):
        push(model, NAME)
    assert hub.asked == []


def test_what_a_link_leads_to_stays_here(hub, adapter, tmp_path, capsys):
    (tmp_path / "private.json").write_text("{}")
    (adapter / "tokenizer_extra.json").symlink_to(tmp_path / "private.json")
    push(adapter, NAME)
    assert "tokenizer_extra.json" not in hub.repositories["model", NAME].files
    assert "tokenizer_extra.json (a link out of the folder)" in capsys.readouterr().out
    weights = adapter / "adapter_model.safetensors"
    weights.rename(tmp_path / "weights")
    weights.symlink_to(tmp_path / "weights")
    with pytest.raises(InputError, match="is a link out of its folder"):
        push(adapter, NAME)


def test_figures_that_the_hub_has_stay_with_their_weights_alone(hub, adapter, tmp_path):
    push(adapter, NAME, scorecard=scorecard(tmp_path / "run", adapter_digest(adapter)))
    repository = hub.repositories["model", NAME]
    repository.files["evaluation/run/scorecard.json"] = b"{}"
    push(adapter, NAME)
    assert [len(repository.messages), len(results(repository))] == [1, 3]
    # Trained anew: what the hub knows is about other weights.
    config = adapter / "adapter_config.json"
    config.write_text(config.read_text() + " ")
    push(adapter, NAME)
    assert [result.dataset_split for result in results(repository)] == ["validation"]
    assert "evaluation/run/scorecard.json" not in repository.files


def results(repository):
    return ModelCard(repository.files["README.md"].decode()).data.eval_results


def test_an_adapter_without_a_card_gets_a_plain_one(hub, adapter, capsys):
    (adapter / "README.md").unlink()
    push(adapter, NAME)
    card = ModelCard(hub.repositories["model", NAME].files["README.md"].decode())
    # Its base is a folder here, which no hub knows.
    assert (card.data.library_name, card.data.base_model) == ("peft", None)
    assert "no hub knows it" in capsys.readouterr().out
