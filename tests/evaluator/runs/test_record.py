"""What a run folder says of how it was made: of this release and of those before."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluator.runs.record import EvaluationRecord, read_record, write_record
from evaluator.runs.run import Evaluation, prepare_folder
from evaluator.runs.settings import RunSettings, ScoreSettings
from shared.corpus import read_json, write_json
from shared.errors import InputError
from shared.records import QAPair

ASKED = RunSettings(data="d", images="i", model="m", out=Path("/r"), adapter=("a=/b",), limit=3)


@pytest.mark.parametrize(
    "settings", [ASKED, ScoreSettings(predictions=("/x.csv",), number_words=True)]
)
def test_settings_are_read_back_as_they_were_written(tmp_path, settings):
    record = EvaluationRecord(command="evaluator run", name="a", settings=settings)
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record
    assert type(read_record(tmp_path).settings) is type(settings)
    assert set(read_json(tmp_path / "run.json")) == {"command", "name", "settings"}


def test_a_folder_of_a_release_before_is_read_and_shows_its_command(tmp_path):
    before = {
        "command": "evaluator run",
        "name": "old",
        "data_sha256": "a" * 64,
        "images": "/somewhere/pictures",
        "forgotten": 1,
        "arguments": [
            *("--data", "https://h/d.csv?sig=abc", "--adapter", "a=/x/y", "--name", "b=c"),
            *("--prompt", "http://x/?a {question}", "--prompt=http://x/?b {question}"),
        ],
    }
    write_json(before, tmp_path / "run.json")
    record = read_record(tmp_path)
    assert (record.name, record.images, record.settings) == ("old", "/somewhere/pictures", None)
    assert record.shown_command() == [
        *("evaluator", "run", "--data", "d.csv", "--adapter", "a=y", "--name", "b=c"),
        *("--prompt", "http://x/?a {question}", "--prompt=http://x/?b {question}"),
    ]


PAIRS = [QAPair("1", "what is it", "lamp", "a/1.png", domain="a")]
BEFORE = {
    "command": "evaluator run",
    "name": "old",
    "data": "/data/vqa.csv",
    "data_sha256": "b" * 64,
    "trained_on": {
        "became": "left out",
        "images": 2,
        "of_images": 6,
        "rows": 2,
        "of_rows": 6,
        "scored": 4,
        "chosen_by": 0,
        "pretrained_on": 1,
        "asked_sha256": "a" * 64,
    },
    "images": "/data/pictures",
    "decoder": 2,
    "split": "test",
    "limit": None,
    "model": "blip-vqa-tiny",
    "quantization": "nf4",
    "adapter": "",
    "adapter_sha256": "",
    "adapters": {"a": {"folder": "/a", "sha256": "c" * 64, "questions_sha256": "d" * 64}},
    "prompt": "",
    "max_new_tokens": 10,
    "grounding": "",
    "left_out": {"vtgs": "no regions"},
    "shuffle_images": 0,
    "shuffle_sample": 1,
    "seed": 0,
}
FINGERPRINT_BEFORE = "d9806fe30a7246d73156f4d0ff2379f7be187a88836409e39671bacd6a245295"
"""Made of ``BEFORE`` and ``PAIRS`` by the release that wrote ``arguments``."""


def test_a_run_that_a_release_before_began_goes_on(tmp_path):
    written = {**BEFORE, "fingerprint": FINGERPRINT_BEFORE, "arguments": ["--data", "vqa.csv"]}
    write_json(written, tmp_path / "run.json")
    prepare_folder(tmp_path, Evaluation(PAIRS, [], EvaluationRecord(**BEFORE), ()))
    assert read_json(tmp_path / "run.json") == written
    with pytest.raises(InputError, match="a run with another seed;"):
        prepare_folder(
            tmp_path, Evaluation(PAIRS, [], EvaluationRecord(**BEFORE | {"seed": 1}), ())
        )


def test_a_record_that_is_none_is_named(tmp_path):
    write_json({"limit": "many"}, tmp_path / "run.json")
    with pytest.raises(InputError, match=r"run\.json: limit: an integer was expected"):
        read_record(tmp_path)
