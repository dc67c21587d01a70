"""A campaign asks what its prompt file says, in its language, styles and fields."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from datasets import load_dataset

from shared.corpus import read_json, read_pairs
from tests.curator.campaigns import PICTURES
from tests.curator.pictures import write_abo

GERMAN = """
language = "de"
answer_words = 2

[styles]
colour = 0.4
count = 0.3
yes_no = 0.3

[fields.difficulty]
type = "choice"
choices = ["easy", "medium", "hard"]
[fields.sure]
type = "number"
about = "how sure you are, from 0 to 1"
[fields.parts]
type = "integer"
"""
ANSWERS = [
    ("Welche Farbe hat der Gegenstand {}?", "weiß"),
    ("Wie viele Beine hat er {}?", "vier"),
    ("Ist auf dem Bild {} ein Stuhl zu sehen?", "ja"),
    ("What is the colour of {}?", "white"),
]


def german_answers(images: Path, path: Path) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["question", "answer", "filename"])
        for number, image in enumerate(sorted(images.rglob("*.jpg"))):
            name = image.relative_to(images).as_posix()
            writer.writerows(
                (question.format(number), answer, name) for question, answer in ANSWERS
            )
    return path


@pytest.fixture
async def german(stage, tmp_path):
    """A campaign against a server with German answers, and its prompt file."""
    write_abo(tmp_path / "abo", PICTURES)
    images = tmp_path / "abo" / "images" / "small"
    campaign = await stage(answers=german_answers(images, tmp_path / "de.csv"))
    prompt = tmp_path / "german.toml"
    prompt.write_text(GERMAN, encoding="utf-8")
    return campaign, prompt


async def test_a_german_campaign_is_judged_in_german(german):
    campaign, prompt = german
    ended = await campaign.run(questions=4, answer_words=None, prompts=[(prompt, None)], verify=1.0)
    assert ended.code == 0, ended.err
    status = await campaign.status()
    assert status["prompt_version"].startswith("2-")
    # Which styles an image was asked about, its path decides; what was not asked for is told.
    assert status["rejected_by_rule"].keys() <= {"language", "style"}
    assert status["rejected_by_rule"]["language"] == PICTURES
    assert status["pairs"] + status["rejected_by_rule"].get("style", 0) == 3 * PICTURES
    opinions = status["second_opinions"]
    assert (opinions["agrees"], opinions["disagrees"]) == (status["pairs"], 0)
    with closing(sqlite3.connect(campaign.ledger)) as database:
        styles = dict(database.execute("SELECT answer, style FROM pairs GROUP BY 1, 2").fetchall())
    assert styles == {"weiß": "colour", "vier": "count", "ja": "yes_no"}


async def test_styles_and_fields_are_columns_of_every_export(german):
    campaign, prompt = german
    await campaign.run(questions=4, answer_words=None, prompts=[(prompt, None)])
    out = campaign.folder
    for name in ("qa.csv", "qa.jsonl", "qa.parquet", "data"):
        named = ["--license", "cc-by-4.0"] if name == "data" else []
        exported = await campaign.command("export", "--out", str(out / name), *named)
        assert exported.code == 0, exported.err
    with (out / "qa.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "question", "answer", "filename", "style", "sure", "parts"]
    lines = [json.loads(line) for line in (out / "qa.jsonl").read_text().splitlines()]
    assert [line["style"] for line in lines] == [row["style"] for row in rows]
    assert {(line["sure"], line["parts"]) for line in lines} == {(0.0, 0)}
    table = pq.read_table(out / "qa.parquet")
    types = {name: str(table.schema.field(name).type) for name in ("style", "sure", "parts")}
    assert types == {"style": "string", "sure": "double", "parts": "int64"}

    manifest = read_json(out / "data" / "manifest.json")
    assert manifest["extra_columns"] == {"style": "string", "sure": "number", "parts": "integer"}
    assert manifest["pairs_by_style"] == dict(Counter(row["style"] for row in rows))
    (told,) = manifest["source"]["prompts"]
    assert (told["name"], told["language"], told["answer_words"]) == ("german", "de", 2)
    card = (out / "data" / "README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(card.split("---")[1])
    assert (head["language"], head["license"]) == (["de"], "cc-by-4.0")
    assert "Prompt `german`, version `2-" in card
    assert "- Write in {language}." in card
    assert "`style` (string), `sure` (number), `parts` (integer)" in card
    assert "data = " in card
    splits = load_dataset(str(out / "data"), cache_dir=str(out / "cache"))
    assert sum(len(split) for split in splits.values()) == len(rows)
    assert {row["style"] for split in splits.values() for row in split} == set(
        manifest["pairs_by_style"]
    )
    assert len(read_pairs(out / "data")) == len(rows)


async def test_the_same_replies_judged_again_give_the_same_pairs(german):
    campaign, prompt = german
    await campaign.run(questions=4, answer_words=None, prompts=[(prompt, None)])
    with closing(sqlite3.connect(campaign.ledger)) as database:
        before = database.execute("SELECT * FROM pairs").fetchall()
    judged = await campaign.command("reparse")
    assert (judged.code, judged.out.split(";")[1]) == (0, " 0 images gained, 0 given up\n")
    with closing(sqlite3.connect(campaign.ledger)) as database:
        assert database.execute("SELECT * FROM pairs").fetchall() == before


async def test_several_prompts_share_out_the_images_and_each_pair_names_its_own(german):
    campaign, prompt = german
    english = prompt.with_name("english.toml")
    english.write_text("answer_words = 3", encoding="utf-8")
    both = [(prompt, 0.5), (english, 0.5)]
    assert (await campaign.run(questions=4, answer_words=None, prompts=both)).code == 0
    out = campaign.folder / "qa.jsonl"
    assert (await campaign.command("export", "--out", str(out))).code == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    spoken = {line["prompt_version"]: set() for line in lines}
    for line in lines:
        spoken[line["prompt_version"]].add(line["question"].startswith("What"))
    # The English prompt keeps English questions alone, the German one German ones.
    assert sorted(spoken.values(), key=str) == [{False}, {True}]
    asked = campaign.requests
    again = await campaign.run(questions=4, answer_words=None, prompts=both[::-1])
    assert (again.code, campaign.requests) == (0, asked)


@pytest.mark.parametrize(
    ("prompts", "told"),
    [
        (lambda a, b: [(a, 0.5), (b, 0.6)], "the shares 0.5 + 0.6 add up to 1.1, not to 1"),
        (lambda a, b: [(a, 0.5), (b, None)], "give all of them a share"),
        (lambda a, b: [(a, None), (a, None)], "two of them are the same"),
        (lambda a, b: [(b.with_name("no.toml"), None)], "no such file"),
    ],
)
async def test_prompts_that_cannot_be_used_are_bad_input(german, prompts, told):
    campaign, prompt = german
    other = prompt.with_name("other.toml")
    other.write_text('context = ""', encoding="utf-8")
    ended = await campaign.run(answer_words=None, prompts=prompts(prompt, other))
    assert ended.code == 2
    assert told in ended.err.splitlines()[-1]
    assert not campaign.ledger.exists()


async def test_a_field_that_no_listing_has_is_bad_input(german):
    campaign, prompt = german
    prompt.write_text('context = "{listing.item_nam} {listing.x|y}"', encoding="utf-8")
    ended = await campaign.run(prompts=[(prompt, None)])
    assert ended.code == 2
    assert "unknown placeholder {listing.item_nam}; there is {listing.item_name}" in ended.err


DUTCH = """
text = "Ask {questions} questions in {language}. {fields}"
context = ""
[language]
name = "Dutch"
question_words = ["welche", "wie", "ist"]
yes = ["ja"]
no = ["nee"]
unknown = "onbekend"
unanswerable = "onbeantwoordbaar"
"""


async def test_a_language_of_ones_own_goes_all_the_way_to_a_data_set(german):
    campaign, prompt = german
    prompt.write_text(DUTCH, encoding="utf-8")
    ended = await campaign.run(questions=4, answer_words=1, prompts=[(prompt, None)], verify=0.5)
    assert ended.code == 0, ended.err
    assert (await campaign.status())["rejected_by_rule"] == {"language": PICTURES}
    assert (await campaign.command("reparse")).code == 0
    folder = campaign.folder / "data"
    exported = await campaign.command("export", "--out", str(folder))
    assert exported.code == 0, exported.err
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "language `Dutch`" in card
    assert "language" not in yaml.safe_load(card.split("---")[1])
