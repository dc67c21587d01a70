"""`evaluator history`: the runs of a folder, what changed between them, and who leads."""

import io
import json
import os
import shutil
from dataclasses import replace

import pytest
from rich.console import Console

from evaluator.__main__ import app
from evaluator.history.changes import changes, summary
from evaluator.history.entries import find_entries
from evaluator.history.history import read_history
from evaluator.history.tables import gain_text, runs_table
from evaluator.runs.record import read_record, write_record
from shared.corpus import read_json, write_json
from shared.errors import InputError
from shared.program.cli import run_program
from tests.evaluator.predictions import predicted
from tests.evaluator.run_folders import answers, make_run


def evaluator(*arguments) -> int:
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", [str(argument) for argument in arguments])
    return leaving.value.code


def finished(folder, when):
    write_json({"updated_at": when}, folder / "status.json")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Four runs on one data, the third <named> & made to be a nuisance, and one on other data."""
    runs = tmp_path_factory.mktemp("history") / "runs"
    of = {"first": range(40), "deep/best": range(8), "close": range(2, 10), "<b>bad</b>": range(60)}
    for when, (name, wrong) in enumerate(of.items()):
        make_run(runs / name, answers(80, wrong=wrong), model=f"model {name}")
        finished(runs / name, 1_700_000_000 + when)
    make_run(runs / "other", [predicted("red", "red", image=f"x{n}.png") for n in range(9)])
    (runs / "unfinished").mkdir()
    write_json({}, runs / "unfinished" / "run.json")
    (runs / "no run").mkdir()
    return runs


def test_runs_stand_by_their_data_in_time(made):
    history = read_history([made])
    assert [[step.entry.name for step in of.steps] for of in history.data] == [
        ["first", "deep/best", "close", "<b>bad</b>"],
        ["other"],
    ]
    assert history.data[0].title == "80 questions on 80 images"
    [left_out] = history.unread
    assert left_out.name == "unfinished"
    assert "not finished" in left_out.reason


def test_the_best_comes_first_and_ties_share_a_place(made):
    places = read_history([made]).data[0].places
    assert [(place.entry.name, place.place, place.is_tie) for place in places] == [
        ("deep/best", 1, True),
        ("close", 1, True),
        ("first", 3, False),
        ("<b>bad</b>", 4, False),
    ]
    assert [place.figure.mean for place in places] == pytest.approx([0.9, 0.9, 0.5, 0.25])


def test_what_changed_and_what_was_gained_is_told_since_the_run_before(made):
    first, best, close, bad = read_history([made]).data[0].steps
    assert (first.changed, first.gain) == ((), None)
    assert [change.text for change in best.changed] == ["model: model first → model deep/best"]
    assert best.gain.difference.mean == pytest.approx(0.4)
    assert best.gain.difference.is_clear
    assert not close.gain.difference.is_clear
    assert bad.gain.difference.ci95[1] < 0


def test_facts_that_follow_from_others_are_no_change():
    before = {"command": "a", "versions.torch": "1", "prompt": "x", "adapter": "rank8"}
    after = {"command": "b", "versions.torch": "2", "versions.ray": "3", "prompt": "x"}
    found = changes(before, after)
    assert [change.text for change in found] == [
        "versions.torch: 1 → 2",
        "adapter: rank8 → none",
        "versions.ray: none → 3",
    ]
    assert summary(found) == "versions, adapter"
    many = changes({}, {f"fact{n}": "1" for n in range(8)})
    assert summary(many) == "fact0, fact1, fact2, fact3, fact4, and 3 more"


def test_what_changed_is_not_cut_off_on_80_columns(made):
    first, second, *_ = read_history([made]).data[0].steps
    name = "adapter_sha256"
    changed = [replace(second.changed[0], fact=fact) for fact in (name, "prompt", "grounding")]
    long = replace(second.entry, name="salesforce-blip-vqa-base-rank-32-of-monday")
    steps = [first, replace(second, changed=changed, entry=long)]
    console = Console(width=80, file=io.StringIO())
    console.print(runs_table(replace(read_history([made]).data[0], steps=steps)))
    shown = console.file.getvalue()
    assert [fact for fact in (name, "prompt", "grounding") if fact not in shown] == []
    assert gain_text(steps[1]).partition(" (")[2] in shown


def test_it_is_printed_is_one_object_and_a_page(made, tmp_path, capsys):
    page = tmp_path / "history.html"
    assert evaluator("history", made, "--out", page) == 0
    out = capsys.readouterr().out
    assert "1 (tie)" in out
    assert "left out: unfinished: " in out
    assert evaluator("history", made, "--json", "--metric", "token_f1") == 0
    value = json.loads(capsys.readouterr().out)
    of_data = value["data"][0]
    assert (of_data["metric"], len(of_data["runs"])) == ("token_f1", 4)
    assert of_data["runs"][1]["changed"][0]["fact"] == "model"
    assert of_data["runs"][1]["gain_ci95"][0] > 0
    assert [run["tie"] for run in of_data["leaderboard"]] == [True, True, False, False]
    html = page.read_text(encoding="utf-8")
    assert "<b>bad</b>" not in html.replace("&lt;b&gt;bad&lt;/b&gt;", "")
    assert "http" not in html
    assert "model: model first → model deep/best" in html


def test_two_runs_are_told_apart_in_full(made, capsys):
    assert evaluator("history", made / "first", made / "close") == 0
    assert "  model: model first → model close" in capsys.readouterr().out


def test_a_scored_file_has_the_time_of_its_scoring_and_others_say_that_theirs_is_a_files(tmp_path):
    for name in ("scored", "old"):
        make_run(tmp_path / name, answers(8, wrong=[1]))
        os.utime(tmp_path / name / "scorecard.json", (1_700_000_000, 1_700_000_000))
    record = read_record(tmp_path / "scored").model_copy(update={"scored_at": 1_600_000_000.0})
    write_record(tmp_path / "scored", record)
    history = read_history([tmp_path])
    [of_data] = history.data
    assert [(step.entry.name, step.finished) for step in of_data.steps] == [
        ("scored", "2020-09-13 12:26"),
        ("old", "~2023-11-14 22:13"),
    ]
    assert "the folder says no time" in of_data.time_note
    # A time is no change in how a run was made.
    assert of_data.steps[1].changed == []
    told = [run["finished_at_is_file_time"] for run in history.to_json()["data"][0]["runs"]]
    assert told == [False, True]


def test_runs_that_were_measured_differently_have_no_common_place(made, tmp_path):
    for name in ("first", "close"):
        shutil.copytree(made / name, tmp_path / name)
    path = tmp_path / "first" / "scorecard.json"
    card = read_json(path)
    card["signatures"]["exact_match"] = "another way"
    write_json(card, path)
    [of_data] = read_history([tmp_path]).data
    assert [(place.entry.name, place.place) for place in of_data.places] == [
        ("close", 1),
        ("first", None),
    ]
    assert "measured differently" in of_data.places[1].reason
    assert "measured differently" in of_data.steps[1].reason


def test_the_same_rows_in_another_order_are_the_same_data(tmp_path):
    rows = answers(20, wrong=[1])
    make_run(tmp_path / "a", rows)
    louder = [replace(r, pair=replace(r.pair, question=r.pair.question.title())) for r in rows]
    make_run(tmp_path / "b", louder[::-1])
    assert len(read_history([tmp_path]).data) == 1


def test_runs_below_a_run_are_told_too(tmp_path):
    for folder in (tmp_path / "runs", tmp_path / "runs" / "below"):
        make_run(folder, answers(8, wrong=[1]))
    (of_data,) = read_history([tmp_path / "runs"]).data
    assert {step.entry.name for step in of_data.steps} == {"runs", "below"}


def test_a_damaged_run_is_left_out_with_the_reason(made, tmp_path, capsys):
    for name in ("first", "close", "other"):
        shutil.copytree(made / name, tmp_path / name)
    (tmp_path / "close" / "predictions.parquet").unlink()
    cut = tmp_path / "other" / "predictions.parquet"
    cut.write_bytes(cut.read_bytes()[:200])
    assert evaluator("history", tmp_path) == 0
    out = capsys.readouterr().out
    assert "left out: close: " in out
    assert "predictions.parquet: no such file" in out
    assert "left out: other: " in out
    assert "predictions.parquet: unreadable (" in out
    assert "tie" not in out


def test_nothing_to_tell_is_one_line(made, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert evaluator("history", tmp_path, "--out", page) == 2
    assert "no finished run; `evaluator run --out` makes one" in capsys.readouterr().err
    assert evaluator("history", tmp_path / "gone") == 2
    assert evaluator("history", made, "--metric", "csns", "--out", page) == 2
    assert "no run has it; they have: exact_match, token_f1" in capsys.readouterr().err
    assert evaluator("history", made, "--metric", "bleu_4", "--out", page) == 2
    assert "is a figure of the whole set" in capsys.readouterr().err
    assert evaluator("history", made, "--metric", "exact", "--out", page) == 2
    assert "--metric 'exact': did you mean 'exact_match'?" in capsys.readouterr().err
    assert not page.exists()
    with pytest.raises(InputError, match="two of the runs are called so"):
        read_history([made / "close", made / "close"])


def test_a_run_is_called_as_comparisons_call_it_and_by_its_folder_where_two_are_called_so(tmp_path):
    for place, name in (("one", "answers"), ("two", "predictions"), ("three", "predictions")):
        make_run(tmp_path / place, answers(8, wrong=[1]))
        record = read_record(tmp_path / place).model_copy(update={"name": name})
        write_record(tmp_path / place, record)
    entries, _ = find_entries([tmp_path])
    assert {entry.place: entry.name for entry in entries} == {
        "one": "answers",
        "two": "two",
        "three": "three",
    }
