"""`evaluator predict`: one question, or a file of them."""

import csv
import json

import pytest

from evaluator.__main__ import app
from evaluator.answering.messages import BROKEN_IMAGE_ANSWER
from evaluator.answering.sureness import Sureness, chance_at, write_sureness
from shared.images.decoding import open_image
from shared.program.cli import run_program
from shared.vqa.blip.inference import answer_questions, remember_images
from tests.models import QUESTIONS, load_float

HEADER = ["note", "Question", "image_name", "prediction"]


def predict(model, *arguments) -> int:
    with pytest.raises(SystemExit) as leaving:
        run_program(
            app,
            "evaluator",
            ["predict", "--model", str(model), "--quantize", "none", *map(str, arguments)],
        )
    return leaving.value.code


@pytest.fixture
def asked(tmp_path):
    rows = [
        ["first, with a comma", QUESTIONS[0], "002.png", "old"],
        ["ü", QUESTIONS[3], "000.png", ""],
        ["broken", QUESTIONS[1], "missing.png", ""],
        ["again", QUESTIONS[0], "002.png", ""],
        ["last", QUESTIONS[1], "000.png", ""],
    ]
    path = tmp_path / "asked.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return path


def direct(model_folder, images, name, question):
    model = load_float(model_folder)
    memory = remember_images(model, [open_image(images / name)])
    return answer_questions(model, memory, [0], [question])[0]


def test_a_file_is_written_again_with_its_answers_beside(tiny_model, pictures, asked, tmp_path):
    out = tmp_path / "answered.csv"
    assert predict(tiny_model, "--csv", asked, "--images", pictures[0], "--out", out) == 0
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = ["note", "Question", "image_name", "prediction", "confidence", "broken_image"]
    assert list(rows[0]) == expected
    assert [row["note"] for row in rows] == ["first, with a comma", "ü", "broken", "again", "last"]
    for row in rows:
        if row["note"] == "broken":
            assert (row["prediction"], row["broken_image"]) == (BROKEN_IMAGE_ANSWER, "True")
            continue
        answer = direct(tiny_model, pictures[0], row["image_name"], row["Question"])
        assert row["prediction"] == answer.text
        assert float(row["confidence"]) == pytest.approx(answer.confidence, rel=1e-4)


def test_no_answers_are_written_over_their_questions(asked, capsys):
    before = asked.read_bytes()
    assert predict("blip-vqa-tiny", "--csv", asked, "--images", asked.parent, "--out", asked) == 2
    assert "holds the questions themselves; name another file" in capsys.readouterr().err
    assert asked.read_bytes() == before


@pytest.mark.parametrize("out", ["folder.csv", "asked.csv/below.csv"])
def test_where_answers_cannot_be_written_no_model_is_loaded(asked, out, capsys):
    (asked.parent / "folder.csv").mkdir()
    broken = asked.parent / "model"
    broken.mkdir()
    (broken / "config.json").write_text('{"model_type": "blip"}')
    place = asked.parent / out
    assert predict(broken, "--csv", asked, "--images", asked.parent, "--out", place) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"evaluator: --out {place}: ")
    assert error.count("\n") == 1


def test_one_question_is_answered_on_standard_output(tiny_model, pictures, capsys):
    arguments = ["--image", pictures[0] / "001.png", "--question", QUESTIONS[0]]
    answer = direct(tiny_model, pictures[0], "001.png", QUESTIONS[0])
    assert predict(tiny_model, *arguments) == 0
    assert capsys.readouterr().out.strip() == answer.text
    assert predict(tiny_model, *arguments, "--json") == 0
    value = json.loads(capsys.readouterr().out)
    assert value["answer"] == answer.text
    assert value["confidence"] == pytest.approx(answer.confidence, rel=1e-4)


def test_an_adapter_is_applied(tiny_model, tiny_adapter, pictures, capsys):
    said = []
    for options in ([], ["--adapter", tiny_adapter]):
        arguments = ["--image", pictures[0] / "001.png", "--question", QUESTIONS[5], *options]
        assert predict(tiny_model, *arguments, "--json") == 0
        said.append(json.loads(capsys.readouterr().out))
    assert said[0] != said[1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--image", "{images}/none.png", "--question", "what"], "none.png: not a readable image"),
        (["--image", "{images}/001.png", "--question", "caf\udce9"], "is not UTF-8"),
        (["--image", "{images}/001.png", "--question", "  "], "--question: is empty"),
        (["--image", "{images}/001.png"], "give --image FILE --question TEXT, or --data FILE"),
        (
            ["--csv", "{asked}", "--images", "{images}", "--out", "{tmp}/out.txt"],
            "name a .csv file",
        ),
        (["--csv", "none.csv", "--images", "{images}", "--out", "{tmp}/out.csv"], "no such file"),
        (["--csv", "{asked}", "--images", "{tmp}/no", "--out", "{tmp}/out.csv"], "no such folder"),
        (["--csv", "{tmp}/bad.csv", "--images", "{images}", "--out", "{tmp}/out.csv"], "no column"),
        (
            ["--image", "{images}/001.png", "--question", "what", "--adapter", "{tmp}"],
            "not an adapter folder",
        ),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    tiny_model, pictures, asked, tmp_path, capsys, arguments, reason
):
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    filled = [text.format(images=pictures[0], asked=asked, tmp=tmp_path) for text in arguments]
    assert predict(tiny_model, *filled) == 2
    error = capsys.readouterr().err.strip()
    assert reason in error
    assert "\n" not in error
    assert not list(tmp_path.glob("out.*"))


def test_answers_that_are_not_sure_are_marked(tiny_model, pictures, asked, tmp_path, capsys):
    out, sure = tmp_path / "answered.csv", tmp_path / "sure.json"
    given = ["--csv", asked, "--images", pictures[0], "--out", out, "--sure", sure]
    write_sureness(Sureness(2.0, 0.5), sure)
    assert predict(tiny_model, *given) == 0
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["note"] == "broken":
            assert (row["chance"], row["sure"]) == ("", "False")
        else:
            chance = chance_at(float(row["confidence"]), 2.0)
            assert float(row["chance"]) == pytest.approx(chance, abs=1e-4)
            assert row["sure"] == str(chance >= 0.5)
    write_sureness(Sureness(1.0, 1.0), sure)
    single = ["--image", pictures[0] / "001.png", "--question", QUESTIONS[0], "--sure", sure]
    capsys.readouterr()
    assert predict(tiny_model, *single, "--json") == 0
    assert json.loads(capsys.readouterr().out)["sure"] is False
    assert predict(tiny_model, *single) == 0
    assert capsys.readouterr().out.strip().endswith("(not sure: ask a person)")


def test_a_sureness_of_another_model_is_refused_before_anything_is_answered(
    tiny_model, pictures, asked, tmp_path, capsys
):
    out, sure = tmp_path / "answered.csv", tmp_path / "sure.json"
    write_sureness(Sureness(2.0, 0.5, {"quantization": "nf4", "prompt": ""}), sure)
    given = ["--csv", asked, "--images", pictures[0], "--out", out]
    assert predict(tiny_model, *given, "--sure", sure) == 2
    assert "belongs to another model (quantization nf4, now none)" in capsys.readouterr().err
    assert predict(tiny_model, *given, "--sure", tmp_path / "no.json") == 2
    assert not out.exists()
