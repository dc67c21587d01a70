"""`--prompt` and `--max-new-tokens`: heeded, refused where they cannot be, and part of a run."""

import csv
import json

import pytest

from evaluator.__main__ import app
from shared.program.cli import run_program
from shared.vqa.families import load_answerer
from shared.vqa.inputs import instruction
from shared.vqa.quantization import Quantization
from tests.families import save_blip2_opt, save_vilt
from tests.models import QUESTIONS


def run_evaluator(*words) -> int:
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", list(map(str, words)))
    return leaving.value.code


@pytest.fixture
def asked(pictures):
    images, pairs = pictures
    return ["--quantize", "none", "--image", images / pairs[0].filename, "--question", QUESTIONS[1]]


def test_a_prompt_and_a_length_reach_a_model(tmp_path, pictures, asked, capsys):
    model = save_blip2_opt(tmp_path / "blip2")
    answers = {}
    own = "Question: {question} Answer:"
    for prompt, length in (("", 10), (own, 10), ("{question}", 10), ("", 2)):
        more = ["--prompt", prompt] if prompt else []
        command = ["predict", "--model", model, *asked, *more, "--max-new-tokens", length]
        assert run_evaluator(*command) == 0
        answers[prompt, length] = capsys.readouterr().out
    assert answers["", 10] == answers[own, 10] != answers["{question}", 10]
    assert answers["", 10].startswith(answers["", 2].rstrip("\n"))
    assert answers["", 2] != answers["", 10]


def test_a_blip_hears_what_stands_around_the_question(tiny_model, pictures):
    told = instruction.Instruction("red or green {question}")
    answerer = load_answerer(str(tiny_model), quantization=Quantization.NONE, instruction=told)
    assert answerer.model.asked(["what"]) == ["red or green what"]


def test_what_cannot_be_heeded_is_refused(tmp_path, tiny_model, asked, capsys):
    assert run_evaluator("predict", "--model", tiny_model, *asked, "--prompt", "What?") == 2
    assert "say where the question goes" in capsys.readouterr().err
    full = ["--prompt", "word " * 200 + "{question}"]
    assert run_evaluator("predict", "--model", tiny_model, *asked, *full) == 2
    assert "of a question; leave at least" in capsys.readouterr().err
    long = ["--max-new-tokens", 100_000]
    assert run_evaluator("predict", "--model", tiny_model, *asked, *long) == 2
    assert "has places for" in capsys.readouterr().err
    blip2 = save_blip2_opt(tmp_path / "blip2")
    assert run_evaluator("predict", "--model", blip2, *asked, *long) == 2
    assert "has places for" in capsys.readouterr().err
    vilt = save_vilt(tmp_path / "vilt")
    assert run_evaluator("predict", "--model", vilt, *asked, "--max-new-tokens", 3) == 2
    assert "chooses among labels" in capsys.readouterr().err


def test_a_run_with_another_prompt_is_not_resumed(tmp_path, tiny_model, pictures, capsys):
    images, pairs = pictures
    data = tmp_path / "data.csv"
    with data.open("w", encoding="utf-8", newline="") as file:
        rows = [(pair.filename, pair.question, pair.answer) for pair in pairs]
        csv.writer(file).writerows([("filename", "question", "answer"), *rows])
    (tmp_path / "run").mkdir()
    before = {"fingerprint": "of another", "prompt": "", "max_new_tokens": 10}
    (tmp_path / "run/run.json").write_text(json.dumps(before), encoding="utf-8")
    command = ["run", "--data", data, "--images", images, "--model", tiny_model]
    more = ["--out", tmp_path / "run", "--metrics", "exact_match", "--prompt", "{question}!"]
    assert run_evaluator(*command, *more) == 2
    error = capsys.readouterr().err
    assert "holds a run with another" in error
    assert "prompt" in error
    assert "max_new_tokens" not in error
