"""Pairs go out to Label Studio and Argilla, and come back as verdicts."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing

import pytest

from curator.ledger.database.plain import reading
from curator.ledger.reviews.gathered import judged_pairs
from curator.review.exchange import argilla
from curator.review.report import review_report
from tests.curator.campaigns import ended, start_process
from tests.curator.review.ledgers import Row, change, filled_ledger

COLOR = "What is the color of it?"


@pytest.fixture
def ledger(tmp_path):
    rows = [
        Row(item, COLOR, "red", "", "blue" if item % 3 == 0 else "red") for item in range(1, 13)
    ]
    return filled_ledger(tmp_path / "l.db", rows, images=tmp_path / "images")


def command(*words):
    async def run():
        return await ended(await start_process(*map(str, words)))

    return asyncio.run(run())


def sent(ledger, out, page, *more):
    told = command("export", "--ledger", ledger, "--out", out, "--to", page, *more)
    assert told.code == 0, told.err
    return told


def taken(ledger, path):
    told = command("review", ledger, "--import", path)
    assert told.code == 0, told.err
    return told.out


def report(ledger):
    with reading(ledger) as connection:
        return review_report(judged_pairs(connection, 1))


def annotation(decision, who=7, **texts):
    results = [
        {"from_name": "decision", "to_name": "image", "type": "choices",
         "value": {"choices": [decision]}},
        *({"from_name": name, "to_name": "image", "type": "textarea", "value": {"text": [text]}}
          for name, text in texts.items()),
    ]  # fmt: skip
    return {
        "completed_by": who,
        "was_cancelled": False,
        "created_at": "2026-11-29T10:00:00.000000Z",
        "result": results,
    }


@pytest.mark.slow
def test_label_studio_brings_verdicts_back(ledger, tmp_path):
    out = tmp_path / "tasks.json"
    assert "10 pairs to judge" in sent(ledger, out, "label-studio", "--sample", 10).out
    tasks = json.loads(out.read_text())
    assert "<Choices" in out.with_suffix(".xml").read_text()
    assert tasks[0]["data"]["image"].startswith("data:image/jpeg;base64,")
    positions = [task["data"]["curator"]["position"] for task in tasks]
    assert positions == sorted(positions)
    proposed = {
        task["data"]["curator"]["item"]: [r["value"] for r in task["predictions"][0]["result"]]
        for task in tasks
    }
    assert all(
        values == ([{"choices": ["corrected"]}, {"text": ["blue"]}] if item % 3 == 0
                   else [{"choices": ["accepted"]}])
        for item, values in proposed.items()
    )  # fmt: skip
    answers = [
        [annotation("accepted"), annotation("accepted", {"id": 8, "email": "bo@example.com"})],
        [annotation("corrected", correction="dark blue")],
        [annotation("rejected", reason="too dark")],
        [annotation("rejected")],
        [{"completed_by": 7, "was_cancelled": True, "result": []}],
        [annotation("corrected", correction="RED")],
        [],
        [annotation("accepted")],
        [{"completed_by": 7, "result": []}],
        [],
    ]
    for task, given in zip(tasks, answers, strict=True):
        task |= {"id": 1, "annotations": given, "project": 3, "meta": {}}
    out.write_text(json.dumps(tasks))
    told = taken(ledger, out)
    assert "7 verdicts taken" in told
    assert "3 pairs unanswered" in told
    assert "left out: 1 corrections" in told
    found = report(ledger)
    assert found["outcomes"] == {"accepted": 2, "corrected": 1, "rejected": 2, "disputed": 0}
    assert set(found["reviewers"]) == {"label-studio 7", "label-studio bo@example.com"}
    assert found["reasons"] == {"too dark": 1, "not told": 1}
    # What follows the first unanswered task is no fair sample.
    assert found["sample"]["judged"] == 4
    with closing(sqlite3.connect(ledger)) as database:
        assert database.execute("SELECT max(decided_at) FROM reviews").fetchone()[0] > 1.7e9
    # Taken twice, it is the same; and what is judged does not go out again.
    taken(ledger, out)
    assert report(ledger) == found
    again = tmp_path / "again.json"
    assert "7 pairs to judge" in sent(ledger, again, "label-studio").out


def test_argilla_brings_verdicts_back(ledger, tmp_path):
    folder = tmp_path / "argilla"
    sent(ledger, folder, "argilla", "--images-at", "https://pictures.example/")
    records = json.loads((folder / "records.json").read_text())
    assert len(records) == 12
    name = records[0]["metadata"]["image_path"]
    assert records[0]["fields"]["image"] == f"https://pictures.example/{name}"
    said = [
        {"decision": [{"value": "accepted", "user_id": "u1", "status": "submitted"}]},
        {
            "decision": [{"value": "corrected", "user_id": "u1"}],
            "correction": [{"value": "blue", "user_id": "u1"}],
        },
        {
            "decision": [{"value": "rejected", "user_id": "u1"}],
            "reason": [{"value": "unclear", "user_id": "u1"}],
        },
        {"decision": [{"value": "accepted", "user_id": "u1", "status": "draft"}]},
        {"decision": [{"value": None, "user_id": "u2", "status": "discarded"}]},
    ]
    for record, responses in zip(records, said, strict=False):
        record["responses"] = responses
    (folder / "records.json").write_text(json.dumps(records))
    assert "4 verdicts taken" in taken(ledger, folder)
    found = report(ledger)
    assert found["outcomes"] == {"accepted": 1, "corrected": 1, "rejected": 1, "disputed": 0}
    assert found["sample"]["judged"] == 3


def test_another_ledgers_tasks_change_nothing(ledger, tmp_path):
    out = tmp_path / "tasks.json"
    sent(ledger, out, "label-studio", "--sample", 3)
    tasks = json.loads(out.read_text())
    for task in tasks:
        task["annotations"] = [annotation("accepted")]
    out.write_text(json.dumps(tasks))
    change(ledger, "UPDATE items SET image_path = 'x' || image_path")
    told = taken(ledger, out)
    assert "0 verdicts" in told
    assert "left out: 3 of images that this ledger does not have" in told


def test_what_was_edited_elsewhere_is_told_and_what_is_too_much_is_left_out(ledger, tmp_path):
    out = tmp_path / "tasks.json"
    sent(ledger, out, "label-studio", "--sample", 3)
    tasks = json.loads(out.read_text())
    tasks[0]["data"]["question"] = "Is it a new question?"
    tasks[0]["annotations"] = [annotation("accepted", "ada"), annotation("accepted", "ada")]
    tasks[1]["annotations"] = [annotation("corrected", correction="x" * 201)]
    tasks[2]["annotations"] = [annotation("rejected", reason="too\ndark\x00" + "x" * 300)]
    out.write_text(json.dumps(tasks))
    told = taken(ledger, out)
    assert "2 verdicts taken" in told
    assert "1 of them are about questions and answers that the ledger does not have" in told
    assert "left out: 1 corrections" in told
    with closing(sqlite3.connect(ledger)) as database:
        rows = database.execute("SELECT reviewer, reason FROM reviews ORDER BY reviewer").fetchall()
    assert [row[0] for row in rows] == ["label-studio 7", "label-studio ada"]
    assert rows[0][1].startswith("too dark xx")
    assert len(rows[0][1]) == 200


@pytest.mark.parametrize("position", [-1, 1, 99])
def test_a_place_in_no_order_is_refused(ledger, tmp_path, position):
    out = tmp_path / "tasks.json"
    sent(ledger, out, "label-studio", "--sample", 1)
    tasks = json.loads(out.read_text())
    tasks[0]["data"]["curator"]["position"] = position
    out.write_text(json.dumps(tasks))
    assert "data.curator.position" in command("review", ledger, "--import", out).err


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("{", "no JSON"),
        ("{}", "give Label Studio's JSON export"),
        ("[]", "give Label Studio's JSON export"),
        ("[1]", "entry 1"),
        ('[{"data": {"image": "x"}}]', "data.question"),
        ('[{"fields": {"question": "q", "answer": "a"}}]', "metadata"),
    ],
)
def test_what_did_not_come_back_from_here_is_one_line(ledger, tmp_path, content, wanted):
    path = tmp_path / "x.json"
    path.write_text(content)
    told = command("review", ledger, "--import", path)
    assert told.code == 2
    assert wanted in told.err
    assert told.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("x.csv", "--to", "label-studio"), "writes a .json file"),
        (("x.json", "--to", "argilla"), "writes a folder"),
        (("x.json", "--to", "label-studio", "--reviewed"), "leave out the options"),
        (("x.json", "--to", "label-studio", "--campaign", "9"), "give one --campaign"),
    ],
)
def test_what_cannot_be_sent_is_one_line(ledger, tmp_path, words, wanted):
    told = command("export", "--ledger", ledger, "--out", tmp_path / words[0], *words[1:])
    assert told.code == 2
    assert wanted in told.err


def test_label_studios_own_validators_take_it(ledger, tmp_path):
    sdk = pytest.importorskip("label_studio_sdk.label_interface", reason="needs label-studio-sdk")
    out = tmp_path / "tasks.json"
    sent(ledger, out, "label-studio")
    interface = sdk.LabelInterface(out.with_suffix(".xml").read_text())
    interface.validate()
    tasks = json.loads(out.read_text())
    assert len(tasks) == 12
    for task in tasks:
        [prediction] = task.pop("predictions")
        # With predictions in it, 2.1.2 calls its own validator without an argument.
        assert interface.validate_task(task)
        assert interface.validate_prediction(prediction, return_errors=True) == []
    wrong = {"result": [{**prediction["result"][0], "value": {"choices": ["perhaps"]}}]}
    assert interface.validate_prediction(wrong, return_errors=True) != []


def test_argillas_own_classes_take_it(ledger, tmp_path):
    models = pytest.importorskip("argilla._models", reason="needs argilla")
    rg = pytest.importorskip("argilla", reason="needs argilla")

    folder = tmp_path / "set"
    sent(ledger, folder, "argilla")
    models.DatasetModel(**json.loads((folder / argilla.DATASET).read_text()))
    settings = json.loads((folder / argilla.SETTINGS).read_text())
    for field in settings["fields"]:
        assert models.FieldModel(**field).name == field["name"]
    for question in settings["questions"]:
        assert models.QuestionModel(**question).name == question["name"]
    for entry in json.loads((folder / argilla.RECORDS).read_text()):
        record = rg.Record.from_dict(entry)
        again = record.to_dict()
        assert again["suggestions"]["decision"]["value"] in {"accepted", "corrected"}
        assert again["metadata"] == entry["metadata"]
