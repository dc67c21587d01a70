"""`evaluator compare`: two runs, what is said about them, and what is refused."""

import json
from dataclasses import replace

import pytest

from evaluator.__main__ import app
from evaluator.comparing.differences import compare_runs, sentences
from shared.corpus import read_json, write_json
from shared.errors import InputError
from shared.program.cli import run_program
from tests.evaluator.run_folders import answers, make_run


@pytest.fixture
def folders(tmp_path):
    make_run(tmp_path / "base", answers(80, wrong=range(40)))
    make_run(tmp_path / "tuned", answers(80, wrong=[*range(16), 60])[::-1])
    return tmp_path / "base", tmp_path / "tuned"


def evaluator(*arguments) -> int:
    with pytest.raises(SystemExit) as leaving:
        run_program(app, "evaluator", [str(argument) for argument in arguments])
    return leaving.value.code


def test_the_better_run_is_said_in_words(folders, capsys):
    assert evaluator("compare", *folders) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Run “tuned” answers 28.7 points more than “base”, 95 % interval " in out
    assert "p < 0.001." in out
    assert "Clearly higher, corrected for several metrics: Token F1." in out
    assert "Exactly right in “tuned” alone: 24; in “base” alone: 1 (McNemar's exact test" in out


def test_json_holds_effect_interval_p_values_and_words(folders, capsys):
    assert evaluator("compare", *folders, "--json") == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["base"], value["other"], value["n"], value["images"]) == ("base", "tuned", 80, 80)
    first = value["metrics"][0]
    assert first["metric"] == "exact_match"
    assert first["other"] - first["base"] == pytest.approx(first["difference"]["mean"])
    low, high = first["difference"]["ci95"]
    assert 0 < low < first["difference"]["mean"] < high
    assert first["p_holm"] >= first["difference"]["p_value"]
    assert value["mcnemar"]["only_other"] == 24
    assert set(value["by_question_type"]) == {"yes/no", "colour"}
    assert value["says"][0].startswith("Run “tuned” answers")


def test_the_other_way_round_the_signs_turn(folders, capsys):
    assert evaluator("compare", *folders[::-1], "--metrics", "exact_match") == 0
    assert "“base” answers 28.7 points fewer than “tuned”" in " ".join(
        capsys.readouterr().out.split()
    )


def test_equal_runs_show_no_clear_difference(tmp_path):
    one = make_run(tmp_path / "one", answers(40, wrong=[1]))
    two = make_run(tmp_path / "two", answers(40, wrong=[2]))
    comparison = compare_runs(one, two)
    assert comparison.metrics[0].difference.p_value == 1.0
    assert sentences(comparison)[0] == (
        "No clear difference between “two” and “one”: +0.0 points, 95 % interval -7.5 to +7.5, "
        "p = 1.000."
    )


def test_few_images_are_called_few(tmp_path):
    runs = [make_run(tmp_path / name, answers(6, wrong=[1])) for name in ("one", "two")]
    assert sentences(compare_runs(*runs))[-1].startswith("With 6 images")


def test_other_data_is_refused_with_the_rows_that_differ(folders, tmp_path, capsys):
    rows = answers(80, wrong=[])
    rows[7] = replace(rows[7], pair=replace(rows[7].pair, answer="pink"))
    make_run(tmp_path / "third", rows[:-1])
    assert evaluator("compare", folders[0], tmp_path / "third") == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert "base and third answer different data" in line
    assert "2 rows are only in base: 7.png 'what color is the shape' = 'black'; 79.png " in line
    assert "1 row is only in third: 7.png 'what color is the shape' = 'pink'" in line


def test_of_many_differing_rows_a_few_are_named(tmp_path, folders):
    other = make_run(
        tmp_path / "other",
        [
            replace(row, pair=replace(row.pair, answer=f"x{n}"))
            for n, row in enumerate(answers(80, []))
        ],
    )
    base = make_run(tmp_path / "again", answers(80, wrong=[]))
    with pytest.raises(
        InputError,
        match=r"same questions, but 80 have another reference: "
        r"(\S+ '[^']+' = '\w+' and 'x\d+'; ){3}and others; score both",
    ):
        compare_runs(base, other)


def test_metrics_measured_differently_are_refused_and_can_be_left_out(folders, capsys):
    card = read_json(folders[1] / "scorecard.json")
    card["signatures"]["token_f1"] = "another normalisation"
    write_json(card, folders[1] / "scorecard.json")
    assert evaluator("compare", *folders) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert "measured differently (token_f1: " in line
    assert "against 'another normalisation'" in line
    assert line.endswith("leave out what differs: --metrics exact_match")
    assert evaluator("compare", *folders, "--metrics", "exact_match") == 0


def test_a_metric_that_one_run_lacks_is_refused(folders, capsys):
    assert evaluator("compare", *folders, "--metrics", "csns") == 2
    assert "no common figures for csns; both have: exact_match, token_f1" in capsys.readouterr().err


def test_a_run_is_not_compared_with_itself_by_mistake(folders, capsys):
    assert evaluator("compare", folders[0], folders[0]) == 2
    assert "give each once" in capsys.readouterr().err


def test_references_that_differ_in_spelling_alone_are_paired_and_told(tmp_path):
    rows = answers(40, wrong=[1])
    louder = [
        replace(r, pair=replace(r.pair, answer=f"{r.pair.answer.title()}.")) for r in rows[:9]
    ]
    runs = make_run(tmp_path / "one", rows), make_run(tmp_path / "two", [*louder, *rows[9:]][::-1])
    comparison = compare_runs(*runs)
    assert (comparison.n, comparison.metrics[0].difference.mean) == (40, 0)
    assert any(
        "The references of 9 rows are spelled differently" in s for s in sentences(comparison)
    )


def test_models_that_were_asked_differently_are_compared_and_it_is_told(folders, capsys):
    prompts = ("{question}", "{question} One word.")
    for folder, prompt, cleaning in zip(folders, prompts, ("", "short answer 1"), strict=True):
        card = read_json(folder / "scorecard.json")
        card["provenance"] |= {"prompt": prompt, "answer_cleaning": cleaning}
        write_json(card, folder / "scorecard.json")
    assert evaluator("compare", *folders) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert (
        "The models were asked differently: prompt '{question}' against '{question} One word.'; "
        "cleaning of answers 'none' against 'short answer 1'."
    ) in out
