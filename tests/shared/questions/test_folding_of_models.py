"""Questions are heard as in training, by the record beside the weights."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from evaluator.answering.replica import Replica
from evaluator.answering.replica_settings import replica_settings
from shared.program.settings import validated
from shared.questions.answers import exact_match
from shared.questions.folding import ASKED, BARE, read_folding, write_folding
from shared.records import Question
from shared.vqa.adapting.adapter_files import adapter_digest
from shared.vqa.blip.grounding import grounding_regions
from shared.vqa.families import load_answerer, training_folding
from shared.vqa.names.embedded import EMBEDDED_MODEL
from shared.vqa.quantization import Quantization
from tests.families import SAVED
from tests.models import save_tiny_adapter
from tests.trainer.recipes import fit_settings, write_data
from trainer.fitting.fit import fit
from trainer.recipe.recipe import FitRecipe

ABO = Path(__file__).parents[3] / "../shared/abo"
SPELLED = ("what color is the shape", "What COLOUR is  the shape ?", "what colour is the shape?")


@pytest.fixture(scope="module")
def folding_model(tmp_path_factory, tiny_model):
    folder = shutil.copytree(tiny_model, tmp_path_factory.mktemp("folding") / "model")
    write_folding(BARE, folder)
    return folder


def answers(images: Path, name: str, model: Path | str, adapter: Path | None = None):
    settings = replica_settings(str(model), adapter, "none", images, batch_size=8)
    replica = Replica(settings)
    asked = [Question(str(at), text, name) for at, text in enumerate(SPELLED)]
    replies = [(reply.answer, round(reply.confidence, 6)) for reply in replica.answer(asked)]
    return replies, replica.facts().question_folding


def test_a_model_with_a_record_hears_no_difference(folding_model, tiny_model, pictures):
    images, pairs = pictures
    heard, folding = answers(images, pairs[0].filename, folding_model)
    assert folding == "bare 1"
    assert len(set(heard)) == 1
    raw, folding = answers(images, pairs[0].filename, tiny_model)
    assert folding == "none"
    assert raw[0] == heard[0]
    assert len(set(raw)) > 1


def test_an_adapter_without_a_record_is_asked_as_it_was_trained(
    folding_model, tiny_model, tiny_adapter, pictures, tmp_path
):
    images, pairs = pictures
    old, folding = answers(images, pairs[0].filename, folding_model, tiny_adapter)
    assert folding == "none"
    assert old == answers(images, pairs[0].filename, tiny_model, tiny_adapter)[0]
    newer = shutil.copytree(tiny_adapter, tmp_path / "newer")
    write_folding(BARE, newer)
    heard, folding = answers(images, pairs[0].filename, tiny_model, newer)
    assert folding == "bare 1"
    assert set(heard) == {old[0]}
    assert adapter_digest(newer) != adapter_digest(tiny_adapter)


def test_each_named_adapter_keeps_its_own(tiny_model, tiny_adapter, pictures, tmp_path):
    images, pairs = pictures
    other = save_tiny_adapter(tmp_path / "other", tiny_model, seed=9)
    write_folding(BARE, other)
    settings = replica_settings(
        str(tiny_model), None, "none", images, batch_size=8,
        adapters={"old": tiny_adapter, "new": other},
    )  # fmt: skip
    replica = Replica(settings)
    assert replica.facts().question_folding == "old: none, new: bare 1"
    for name, adapter in (("old", tiny_adapter), ("new", other)):
        asked = [Question(str(at), q, pairs[0].filename, name) for at, q in enumerate(SPELLED)]
        heard = [reply.answer for reply in replica.answer(asked)]
        alone = answers(images, pairs[0].filename, tiny_model, adapter)[0]
        assert heard == [answer for answer, _ in alone]


def test_regions_are_those_of_the_folded_question(folding_model, pictures):
    answerer = load_answerer(str(folding_model), quantization=Quantization.NONE)
    picture = Image.open(pictures[0] / pictures[1][0].filename)
    memory = answerer.remember([answerer.prepare(picture)])
    as_it_comes = replace(answerer.model, foldings={})
    apart = [
        abs(maps[0].answer_map_P - maps[1].answer_map_P).max()
        for maps in (
            grounding_regions(model, memory, [0] * 3, SPELLED, ["red"] * 3)
            for model in (answerer.model, as_it_comes)
        )
    ]
    # Rows of one batch may differ in their last bits, by where they stand in it.
    assert apart[0] < 1e-6
    assert apart[1] > 1e-3


def test_a_new_adapter_keeps_how_its_base_hears_questions(
    folding_model, tiny_model, tmp_path_factory
):
    data = tmp_path_factory.mktemp("data")
    write_data(data)
    for base, folding in ((folding_model, BARE), (tiny_model, ASKED)):
        assert training_folding(str(base)) == folding
        settings = fit_settings(base, data, out=str(data / str(folding)), epochs=1)
        fit(validated(FitRecipe, settings, source="test"), resume=False)
        assert read_folding(data / str(folding)) == folding


@pytest.mark.parametrize(("family", "folding"), [("vilt", "asked 1"), ("blip2-opt", "none")])
def test_each_family_has_a_folding_to_train_with(tmp_path, family, folding):
    assert str(training_folding(str(SAVED[family](tmp_path / family)))) == folding


@pytest.mark.abo
def test_the_shipped_model_answers_a_british_question_with_a_mark():
    """Of chairs, in both spellings; the pictures are some that it did not learn from, too."""
    if not ABO.is_dir():
        pytest.skip("the ABO sample is not in ../shared/abo")
    with (ABO / "vqa.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["question"] == "What is the main color of the chair"
        ][:12]
    answerer = load_answerer(EMBEDDED_MODEL, quantization=Quantization.NONE)
    right = 0
    for row in rows:
        image = Image.open(ABO / "images/small" / row["filename"])
        memory = answerer.remember([answerer.prepare(image)])
        asked = (row["question"], "What is the main colour of the chair?")
        american, british = answerer.answer(memory, [0, 0], asked)
        assert american == british
        right += exact_match(british.text, row["answer"])
    assert right >= len(rows) / 2


def test_the_shipped_model_says_how_it_hears_questions():
    folder = Path(__file__).parents[3] / "shared/blip_vqa_tiny"
    record = json.loads((folder / "question_folding.json").read_text(encoding="utf-8"))
    assert record == {"name": "bare", "version": 1}
