"""Several adapters on one base: which answers what, and that each answers as it does alone."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from evaluator.__main__ import app
from evaluator.answering.named_adapters import AdapterChoice, assign_domains, parse_adapters
from evaluator.answering.replica import Replica
from evaluator.answering.shards import Shard
from evaluator.runs.folder import read_run
from evaluator.runs.record import NamedAdapter
from evaluator.runs.run import evaluate
from evaluator.runs.sources.same_model import agree_on_model
from shared.corpus import read_pairs, write_json, write_pairs
from shared.errors import InputError
from shared.program.cli import run_program
from shared.program.reporting.events import set_up_events
from shared.records import QAPair, Question
from shared.vqa.adapting.adapter_files import TRAINING_RECORD
from tests.evaluator.replicas import CountingFleet, evaluation_of, no_text_models, settings_for
from tests.fakes.clock import FakeClock
from tests.models import load_float, save_tiny_adapter


@pytest.fixture(scope="module")
def adapters(tmp_path_factory, tiny_model):
    """Two adapters of different rank on different layers; one has the name of a layer."""
    folder = tmp_path_factory.mktemp("adapters")
    return {
        "query": save_tiny_adapter(folder / "one", tiny_model, targets=("value",), seed=5),
        "lamps": save_tiny_adapter(folder / "two", tiny_model, rank=2, seed=7),
    }


@pytest.fixture(scope="module")
def pairs(pictures):
    """Pairs whose domain changes from question to question, also within an image."""
    return [
        replace(pair, domain=("query", "lamps")[row % 2]) for row, pair in enumerate(pictures[1])
    ]


def answers(settings, pairs) -> dict[str, str]:
    questions = [Question(p.id, p.question, p.filename, p.domain) for p in pairs]
    return {reply.question_id: reply.answer for reply in Replica(settings).answer(questions)}


@pytest.mark.parametrize("quantization", ["none", "nf4"])
def test_each_adapter_answers_as_it_does_alone(tiny_model, pictures, adapters, pairs, quantization):
    settings = settings_for(tiny_model, pictures[0], quantization=quantization, adapters=adapters)
    together = answers(settings, pairs)
    alone = {}
    for name, folder in adapters.items():
        own = [pair for pair in pairs if pair.domain == name]
        one = settings_for(tiny_model, pictures[0], quantization=quantization, adapter=folder)
        alone |= answers(one, own)
    assert together == alone
    assert together != answers(settings_for(tiny_model, pictures[0]), pairs)


def test_the_scorecard_has_each_domain_and_each_hash(
    tmp_path, tiny_model, pictures, adapters, pairs
):
    fleet = CountingFleet(settings_for(tiny_model, pictures[0], adapters=adapters))
    records = {
        name: NamedAdapter(folder=str(folder), sha256="0", questions_sha256="1")
        for name, folder in adapters.items()
    }
    evaluation = evaluation_of(pairs, adapters=records)
    scorecard = evaluate(evaluation, tmp_path / "run", lambda: fleet, no_text_models, FakeClock())
    run = read_run(tmp_path / "run")
    assert run.scorecard == scorecard
    for name, group in scorecard.scores.by_domain.items():
        own = [p for p in run.predictions if p.pair.domain == name]
        assert group.n == len(own) > 0
    assert list(scorecard.scores.by_domain) == ["lamps", "query"]
    hashes = scorecard.provenance["adapter_sha256"].split(",")
    assert [text.partition("=")[0] for text in hashes] == ["query", "lamps"]
    assert len(set(hashes)) == 2
    effect = scorecard.provenance["adapter_effect"]
    assert 0 < effect["changed"] < effect["checked"] == len(pairs)


def test_an_adapter_of_another_base_is_named(tmp_path, tiny_model, adapters, capsys):
    revision = load_float(tiny_model).revision
    for name, trained_on in (("same", revision), ("other", "sha256:another")):
        shutil.copytree(adapters["lamps"], tmp_path / name)
        write_json({"base_revision": trained_on}, tmp_path / name / TRAINING_RECORD)
    set_up_events()
    load_float(tiny_model, tmp_path / "same")
    assert "adapter_of_another_base" not in capsys.readouterr().err
    load_float(tiny_model, tmp_path / "other")
    said = capsys.readouterr().err
    assert "adapter_of_another_base" in said
    assert "trained_on=sha256:another" in said


@pytest.mark.parametrize(
    ("trained_in", "start", "warned"),
    [
        ("nf4", "zero", False),
        ("nf4", "loftq", True),
        ("hqq2", "zero", True),
        ("none", "zero", False),
    ],
)
def test_an_adapter_that_makes_up_for_another_format_is_named(
    tmp_path, tiny_model, adapters, capsys, trained_in, start, warned
):
    shutil.copytree(adapters["lamps"], tmp_path / "adapter")
    told = {"quantization": trained_in, "lora_start": start}
    write_json(told, tmp_path / "adapter" / TRAINING_RECORD)
    set_up_events()
    load_float(tiny_model, tmp_path / "adapter")
    assert ("adapter_of_another_format" in capsys.readouterr().err) is warned


def test_a_run_names_the_other_format_where_its_replica_would_unheard(
    tmp_path, tiny_model, pictures, adapters, capsys
):
    shutil.copytree(adapters["lamps"], tmp_path / "adapter")
    write_json({"quantization": "hqq2"}, tmp_path / "adapter" / TRAINING_RECORD)
    fleet = CountingFleet(settings_for(tiny_model, pictures[0]))
    set_up_events()
    for held, warned in (("hqq2", 0), ("nf4", 1)):
        facts = {"model": str(tiny_model), "adapter": str(tmp_path / "adapter")}
        record = evaluation_of(pictures[1], **facts, quantization=held).record
        (tmp_path / held).mkdir()
        agree_on_model(tmp_path / held, fleet, [Shard(0, ())], record)
        assert capsys.readouterr().err.count("adapter_of_another_format") == warned


def test_a_domain_survives_every_format(tmp_path, pairs):
    for suffix in (".jsonl", ".parquet"):
        write_pairs(pairs, tmp_path / f"pairs{suffix}")
        read = read_pairs(tmp_path / f"pairs{suffix}")
        assert [pair.domain for pair in read] == [pair.domain for pair in pairs]


def test_one_folder_needs_no_name(tmp_path):
    folder = tmp_path / "lr=0.1"
    folder.mkdir()
    assert parse_adapters([str(folder)]) == AdapterChoice(folder, {})
    assert parse_adapters(["chairs=a", "lamps=b=c"]) == AdapterChoice(
        None, {"chairs": Path("a"), "lamps": Path("b=c")}
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["a", "b"], "--adapter a: give several as NAME=DIR"),
        (["chairs=a", "b"], "--adapter b: give several as NAME=DIR"),
        (["chairs=a", "chairs=b"], "--adapter chairs: is there twice"),
        (["chairs=", "lamps=b"], "--adapter chairs=: give several"),
        (["a.b=c", "lamps=b"], "NAME without dots"),
    ],
)
def test_names_that_do_not_tell_adapters_apart(words, reason):
    with pytest.raises(InputError) as refused:
        parse_adapters(words)
    assert reason in str(refused.value)


def pair(filename, domain="") -> QAPair:
    return QAPair(filename, "what is it", "a chair", filename, domain=domain)


def test_the_first_folder_stands_for_a_domain_that_the_data_does_not_name():
    found = assign_domains(
        [pair("chairs/lamps/1.jpg"), pair("chairs/2.jpg", "lamps")],
        {"chairs": Path("a"), "lamps": Path("b")},
    )
    assert [one.domain for one in found] == ["chairs", "lamps"]


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([pair("chairs/1.jpg"), pair("2.jpg")], "1 questions have no domain"),
        ([pair("chairs/1.jpg"), pair("doors/2.jpg")], "domain 'doors', which has no adapter"),
        ([pair("chairs/1.jpg")], "--adapter lamps: no question is of that domain"),
    ],
)
def test_a_domain_without_adapter_or_the_other_way_round_is_refused(pairs, reason):
    with pytest.raises(InputError, match=reason):
        assign_domains(pairs, {"chairs": Path("a"), "lamps": Path("b")})


def test_an_unknown_domain_is_an_error_before_anything_is_written(
    tmp_path, tiny_model, pictures, adapters, pairs, capsys
):
    write_pairs(pairs, tmp_path / "pairs.jsonl")
    words = ["run", "--data", tmp_path / "pairs.jsonl", "--images", pictures[0]]
    words += ["--model", tiny_model, "--out", tmp_path / "run", "--quantize", "none"]
    words += ["--metrics", "exact_match", "--adapter", f"lamps={adapters['lamps']}"]
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", [str(word) for word in words])
    assert leaving.value.code == 2
    assert "domain 'query', which has no adapter" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
