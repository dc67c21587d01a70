"""Gemini as the judge, with the curator's keys and at the rehearsal's door."""

import pytest

from evaluator.__main__ import app
from evaluator.runs.folder import read_run
from shared.corpus import write_predictions
from shared.program.cli import run_program
from tests.curator.pictures import write_abo, write_answers
from tests.evaluator.endpoints.test_gemini import KEYS, MODEL, rehearsing
from tests.evaluator.predictions import predicted


def test_gemini_judges_with_the_keys_of_the_curator_at_its_price(tmp_path, monkeypatch):
    monkeypatch.setenv("ABO_VQA_CACHE", str(tmp_path / "cache"))
    images = write_abo(tmp_path / "abo", 2) / "images" / "small"
    answers = write_answers(images, tmp_path / "known.csv")
    (tmp_path / "keys.toml").write_text(
        "".join(KEYS.format(label=name, rpd=1_000) for name in ("one", "two"))
    )
    rows = [predicted(("Navy.", "red")[n % 2], "navy", image=f"{n}.jpg") for n in range(8)]
    write_predictions(rows, tmp_path / "answers.csv", {})
    words = ["score", tmp_path / "answers.csv", "--judge", MODEL, "--judge-service", "gemini"]
    words += ["--judge-keys", tmp_path / "keys.toml", "--out", tmp_path / "run"]
    words += ["--metrics", "exact_match", "--judge-endpoint"]
    with (
        rehearsing(images, answers, tmp_path, {"one": 1_000, "two": 1_000}) as url,
        pytest.raises(SystemExit) as leaving,
    ):
        run_program(app, "evaluator", [*map(str, words), url])
    assert leaving.value.code == 0
    card = read_run(tmp_path / "run").scorecard
    assert card.scores.metrics["judge"].mean == 0.5
    assert card.signatures["judge"].startswith(f"{MODEL}@")
    # Two cases of equal texts: each was asked once.
    assert card.judged.cost.answers == 2
    assert card.judged.cost.usd_k > 0
    assert "AIza" not in (tmp_path / "run" / "run.json").read_text()
