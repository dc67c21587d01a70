"""`evaluator score` and `evaluator report` as a user types them."""

import csv
import json
import os
import signal
import subprocess
import sys
from functools import partial

import pytest
from PIL import Image

from evaluator.__main__ import app
from shared.corpus import write_pairs
from shared.dataset.check import SPLIT_ANEW
from shared.program.cli import run_program

BASIC = ["--metrics", "exact_match,token_f1"]


def run(*arguments) -> int:
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", [str(argument) for argument in arguments])
    return leaving.value.code


def write_csv(path, header, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture
def answers(tmp_path):
    return write_csv(
        tmp_path / "published.csv",
        ["Question", "Ground_Truth", "Image_Name", "Generated_Answer", "note"],
        [
            ["What color is the shoe", "White", "a.jpg", "white.", "x"],
            ["How many legs", "4", "a.jpg", "3", "x"],
            ["What shape is it", "round", "b.jpg", "", "x"],
        ],
    )


def test_json_is_one_object_on_standard_output(answers, capsys):
    assert run("score", answers, *BASIC, "--json") == 0
    value = json.loads(capsys.readouterr().out)
    assert value["n"] == 3
    assert value["metrics"]["exact_match"]["mean"] == pytest.approx(1 / 3)
    assert value["metrics"]["exact_match"]["n"] == 3
    assert value["prior"] is None
    assert value["provenance"]["predictions"] == "published.csv"


@pytest.mark.parametrize(
    ("metric", "reason"),
    [("vtgs_boxes", "no question of"), ("vqa_soft", "no row has several references")],
)
def test_what_a_metric_needs_of_the_data_is_missed_before_anything_starts(
    tmp_path, pictures, capsys, metric, reason
):
    data = tmp_path / "pairs.jsonl"
    write_pairs(pictures[1], data)
    options = ["--data", data, "--images", pictures[0], "--model", "blip-vqa-tiny"]
    code = run("run", *options, "--metrics", metric, "--out", tmp_path / "run")
    assert code == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_table_names_model_and_prior(answers, tmp_path, capsys, text_models):
    train = write_csv(
        tmp_path / "train.csv",
        ["question", "answer", "filename"],
        [["What color is the shoe", "white", "t.jpg"]],
    )
    code = run("score", answers, "--train", train, "--bertscore-model", "all-MiniLM-L6-v2")
    assert code == 0
    out = capsys.readouterr().out
    assert "3 questions on 2 images" in out
    assert "all-MiniLM-L6-v2, layer 6" in out
    assert "VTGS" not in out
    exact = next(line for line in out.splitlines() if "Exact match" in line)
    assert exact.count("0.3333") == 2  # the run, and the prior


def test_where_distilbert_cannot_be_had_the_other_model_is_named(
    answers, capsys, monkeypatch, text_models
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert run("score", answers, "--metrics", "bertscore_f1", "--json") == 0
    captured = capsys.readouterr()
    assert "all-MiniLM-L6-v2@" in json.loads(captured.out)["signatures"]["bertscore_f1"]
    assert "bertscore_model_replaced" in captured.err


def test_several_files_make_run_folders_and_a_report(answers, tmp_path, capsys):
    better = write_csv(
        tmp_path / "better.csv",
        ["question", "answer", "filename", "prediction"],
        [
            ["What color is the shoe", "White", "a.jpg", "white"],
            ["How many legs", "4", "a.jpg", "4"],
            ["What shape is it", "round", "b.jpg", "oval"],
        ],
    )
    assert run("score", answers, better, *BASIC, "--out", tmp_path / "runs") == 0
    folders = [tmp_path / "runs" / "published", tmp_path / "runs" / "better"]
    assert run("report", *folders, "--out", tmp_path / "page.html") == 0
    out = capsys.readouterr().out
    assert "Mean, and 95 % interval over units" in out
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "published and better" in text


def test_a_folder_keeps_the_run_that_it_holds(answers, tmp_path, capsys):
    out = tmp_path / "run"
    words = ("score", answers, "--out", out)
    assert run(*words, *BASIC) == 0
    # The same answers may be scored again, with other metrics too; others may not take their place.
    assert run(*words, "--metrics", "exact_match,token_f1") == 0
    before = (out / "scorecard.json").read_bytes()
    assert "token_f1" in before.decode()
    other = tmp_path / "other.csv"
    other.write_text(answers.read_text().replace("white", "grey"))
    assert run("score", other, *BASIC, "--out", out) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"--out {out}: holds a run of other answers; give another folder" in told
    assert (out / "scorecard.json").read_bytes() == before
    (out / "run.json").write_text('{"command": "evaluator run"}')
    assert run(*words, *BASIC) == 2
    assert "holds a run of `evaluator run`" in capsys.readouterr().err
    assert run("score", answers, *BASIC, "--out", other) == 2
    assert "is a file; give a folder" in capsys.readouterr().err


def test_a_file_that_no_run_wrote_is_not_written_over(answers, tmp_path, monkeypatch, capsys):
    mine = answers.rename(answers.with_name("predictions.csv"))
    before = mine.read_bytes()
    assert run("score", mine, *BASIC, "--out", mine.parent) == 2
    assert "holds a predictions.csv that would be written over" in capsys.readouterr().err
    assert mine.read_bytes() == before
    monkeypatch.chdir(tmp_path)
    assert run("score", mine, *BASIC) == 0
    assert "next: evaluator score --out runs/predictions " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["missing.csv"], "missing.csv: no such file"),
        (["{answers}", "--metrics", "exact_mach"], "did you mean 'exact_match'"),
        (["{answers}", "--metrics", "vtgs"], "no prediction has a value in column `grounding`"),
        (["{answers}", "--train", "{answers}"], "holds 2 of the images scored in"),
        (
            ["{answers}", "--metrics", "csns", "--sentence-model", "{tmp}"],
            "not a text model folder",
        ),
        (["{tmp}/no-columns.csv"], "no column answer"),
        (["{answers}", "{answers}"], "give each file once"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(arguments, reason, answers, tmp_path, capsys):
    write_csv(tmp_path / "no-columns.csv", ["a", "b"], [["1", "2"]])
    filled = [text.format(answers=answers, tmp=tmp_path) for text in arguments]
    assert run("score", *filled, "--out", tmp_path / "runs") == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert reason in lines[-1]
    assert len(lines) == 1
    assert not (tmp_path / "runs").exists()


def test_a_report_of_no_run_is_refused(tmp_path, capsys):
    assert run("report", tmp_path, "--out", tmp_path / "page.html") == 2
    assert "has no scorecard.json" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["score"], "evaluator: Missing argument 'predictions'; see --help"),
        (["score", "a.csv", "--nope"], "evaluator: No such option: --nope; see --help"),
        (["scroe"], "evaluator: No such command 'scroe'. Did you mean 'score'?; see --help"),
    ],
)
def test_wrong_usage_is_one_line(arguments, reason, capsys):
    assert run(*arguments) == 2
    assert capsys.readouterr().err.strip() == reason


def test_an_interrupt_means_stopped_for_now(answers, tmp_path):
    # A named pipe that nobody writes to holds the program until the signal comes.
    pipe = tmp_path / "slow.csv"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "evaluator", "score", str(pipe), *BASIC]
    # What a shell starts in the background ignores interrupts, and so would all that it starts.
    heeding = {"preexec_fn": partial(signal.signal, signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **heeding) as process:
        # Opened once the program has opened the other end; closed, as a signal that arrives just
        # before the program reads is handled only after that.
        with pipe.open("w"):
            process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 75
    assert "stopped; run the same command again" in errors


def test_a_name_in_another_encoding_is_one_line():
    command = [*map(os.fsencode, (sys.executable, "-m", "evaluator", "score")), b"caf\xe9.csv"]
    ended = subprocess.run(command, capture_output=True, check=False)
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert b"is not UTF-8; rename it" in line
    assert ended.stdout == b""


@pytest.mark.parametrize("option", ["--data", "--images"])
def test_a_signed_url_is_refused_and_its_signature_told_nowhere(
    tmp_path, pictures, tiny_model, capfd, option
):
    data = tmp_path / "pairs.jsonl"
    write_pairs(pictures[1], data)
    places = {"--data": data, "--images": pictures[0], "--model": tiny_model}
    places[option] = "https://example.com/of/pairs.csv?X-Amz-Signature=0ae1f"
    words = [word for pair in places.items() for word in pair]
    assert run("run", *words, "--quantize", "none", "--out", tmp_path / "run") == 2
    captured = capfd.readouterr()
    assert "credentials in a URL would end up in run folders" in captured.err
    assert "0ae1f" not in captured.err + captured.out
    assert not (tmp_path / "run").exists()


def test_a_sound_data_set_passes_its_check(answers, capsys):
    assert run("check", answers) == 0
    out = capsys.readouterr().out
    assert "3 questions on 2 images" in out
    assert "questions about: count" in out


@pytest.mark.parametrize(
    ("split", "comes_next"),
    [
        ("train", "trainer fit RECIPE.toml --out adapter"),
        ("", "trainer fit RECIPE.toml --out adapter"),
        ("test", "evaluator run --model MODEL --out RUN"),
    ],
)
def test_what_comes_after_a_check_is_training_unless_nothing_is_for_it(
    tmp_path, capsys, split, comes_next
):
    header = ["question", "answer", "filename", "split"]
    data = write_csv(tmp_path / "data.csv", header, [["what color", "red", "a.jpg", split]])
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    assert run("check", data, "--images", tmp_path) == 0
    told = f"next: {comes_next} --data {data} --images {tmp_path}\n"
    assert capsys.readouterr().err.endswith(told)


def test_a_leaky_data_set_fails_its_check_with_every_leak_in_the_json(tmp_path, capsys):
    data = write_csv(
        tmp_path / "leaky.csv",
        ["question", "answer", "filename", "split"],
        [
            ["what color", "red", "a.jpg", "train"],
            ["what color", "blue", "a.jpg", "test"],
            ["what color", "blue", "b.jpg", "test"],
        ],
    )
    assert run("check", data, "--json") == 1
    captured = capsys.readouterr()
    value = json.loads(captured.out)
    assert value["leaks"] == [{"images": ["a.jpg"], "splits": ["train", "test"], "by": "image"}]
    assert value["conflicts"][0]["answers"] == ["blue", "red"]
    assert value["question_types"] == {"colour": 1.0}
    assert captured.err.strip().endswith(f"(a.jpg in train and test); {SPLIT_ANEW}")
    assert run("check", data, "--images", tmp_path / "nowhere") == 2


def test_a_check_against_the_wrong_pictures_says_so(tmp_path, answers, capsys):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.new("RGB", (8, 8)).save(pictures / "other.png")
    assert run("check", answers, "--images", pictures) == 2
    assert "holds none of the data's first 2 images" in capsys.readouterr().err
