"""The whole line through the commands a user would type: what ``make demo`` promises."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from shared.corpus import read_json, read_pairs

# One worker of pytest-xdist runs the line, once.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.ray,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("line"),
]

IMAGES = 60


@pytest.fixture(scope="module")
def line(tmp_path_factory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("line")
    process = subprocess.run(
        [sys.executable, "-m", "shared.demo", "--out", "run", "--images", str(IMAGES)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-4000:]
    return folder / "run", process.stdout + process.stderr


def test_the_campaign_stopped_half_way_and_paid_for_no_picture_twice(line):
    folder, said = line
    assert "half-way: SIGTERM" in said
    assert f"{IMAGES} of {IMAGES} images done, 0 given up, 0 waiting" in said
    answered = said.split("Rehearsal over:")[1].split("answered ")[1]
    assert int(answered.split(",")[0].rstrip(").")) == IMAGES
    assert {pair.filename for pair in read_pairs(folder / "data")} == {
        f"{number}.png" for number in range(IMAGES)
    }


def test_invalid_keys_left_the_pool_with_the_promised_line(line):
    _, said = line
    for label in ("key-03", "key-08"):
        assert f"Key {label} failed (API_KEY_INVALID); removing from pool." in said


def test_no_key_stands_in_what_the_programs_wrote(line):
    folder, said = line
    inputs = {"keys.toml", "rehearsal.toml"}
    assert "rehearsal-only-" not in said
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in inputs:
            assert b"rehearsal-only-" not in path.read_bytes(), path


def test_no_image_is_in_two_splits(line):
    folder, _ = line
    splits: dict[str, set[str | None]] = {}
    for pair in read_pairs(folder / "data"):
        splits.setdefault(pair.filename, set()).add(pair.split)
    assert all(len(found) == 1 for found in splits.values())
    assert Counter(next(iter(found)) for found in splits.values()).keys() == {
        "train",
        "validation",
        "test",
    }


def test_the_adapter_beats_the_base_on_the_same_unseen_questions(line):
    folder, _ = line
    base = read_json(folder / "base" / "scorecard.json")
    adapted = read_json(folder / "adapted" / "scorecard.json")
    assert base["n"] == adapted["n"] > 0
    assert base["provenance"]["split"] == "test"
    assert adapted["metrics"]["exact_match"]["mean"] > base["metrics"]["exact_match"]["mean"]
    assert adapted["provenance"]["adapter_effect"]["changed"] > 0


@pytest.mark.parametrize("name", ["base", "adapted"])
def test_the_scorecards_hold_five_metrics_with_intervals_and_the_prior(line, name):
    folder, _ = line
    card = read_json(folder / name / "scorecard.json")
    wanted = {"exact_match", "token_f1", "bertscore_f1", "csns", "vtgs"}
    assert set(card["metrics"]) == wanted
    for figure in card["metrics"].values():
        low, high = figure["ci95"]
        assert 0 <= low <= figure["mean"] <= high <= 1
        assert figure["n"] == card["n"]
    assert set(card["prior"]["metrics"]) == wanted - {"vtgs"}
    assert card["provenance"]["quantization"] == "nf4"


def test_the_report_is_one_file_and_the_last_line_names_it(line):
    folder, said = line
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "with adapter" in page
    assert "http-equiv" not in page
    assert 'src="http' not in page
    assert "report.html" in said
