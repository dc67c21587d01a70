"""Intervals of all groups of a scorecard, and of three runs on a page, against plain ways."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from evaluator.commands.compare import report
from evaluator.runs.score_files import score_files, write_run_folders
from evaluator.runs.settings import ScoreSettings
from evaluator.scoring.figures import break_down
from evaluator.scoring.sums.tally import UNIT, Cell, Tally
from shared.program.clock import SystemClock, stopwatch
from shared.questions.types import question_types
from tests.bench.builds import ROOT, build_of
from tests.bench.measure import Comparison, compare
from tests.bench.scoring import IMAGES, ROWS, rows_of_answers

METRICS, RUNS = 12, 3
_CHUNK = 100
_METRICS = "exact_match,token_f1,levenshtein,substring"


def bench_intervals(folder: Path) -> list[Comparison]:
    """Bootstrap of 12 metrics over 50,000 units, and the report of three runs of 50,000 rows."""
    tally = _tally()
    masks = [
        np.ones(len(tally.cells), dtype=bool),
        *_masks([cell.question_type for cell in tally.cells]),
        *_masks([cell.answer_frequency for cell in tally.cells]),
    ]

    def every_group_whole() -> object:
        """Sum every group over every unit: one dense product for each resample."""
        sums = [np.where(mask[:, None], tally.sums_CM, 0) / UNIT for mask in masks]
        values = np.hstack(
            [*sums, *(np.where(mask[:, None], tally.counts_CM, 0) for mask in masks)]
        )
        generator = np.random.default_rng(0)
        means = []
        for _ in range(2000 // _CHUNK):
            drawn = generator.integers(len(values), size=(_CHUNK, len(values)))
            times = np.array([np.bincount(row, minlength=len(values)) for row in drawn], float)
            means.append(times @ values)
        return np.concatenate(means)

    intervals = compare(
        f"bootstrap of {METRICS} metrics in {len(masks)} groups, {ROWS:,} units",
        "rows/s",
        ROWS,
        every_group_whole,
        lambda: break_down(tally),
        rounds=1,
    )
    return [intervals, _report(folder), *_reports_of_builds(folder)]


def _tally() -> Tally:
    random = np.random.default_rng(0)
    kinds = random.integers(len(question_types()), size=ROWS)
    ranks = random.choice(["frequent", "common", "rare"], ROWS)
    cells = [
        Cell(f"{row:05d}.jpg", question_types()[kind], str(rank))
        for row, (kind, rank) in enumerate(zip(kinds, ranks, strict=True))
    ]
    return Tally.of(cells, {f"m{number}": random.random(ROWS) for number in range(METRICS)})


def _masks(names: list[str]) -> list[np.ndarray]:
    return [np.array([name == wanted for name in names]) for wanted in sorted(set(names))]


def _report(folder: Path) -> Comparison:
    """Return how fast a page about three runs is, against scoring them, which is done before."""
    paths = _files_of_answers(folder)
    settings = ScoreSettings(predictions=[str(path) for path in paths], metrics=_METRICS)
    started = stopwatch()
    scored = score_files(settings, SystemClock())
    write_run_folders(scored, folder / "runs", settings, 0.0)
    scoring_s = stopwatch() - started
    started = stopwatch()
    report([folder / "runs" / path.stem for path in paths], folder / "report.html")
    work = RUNS * ROWS
    return Comparison(
        f"report of {RUNS} runs, {ROWS:,} rows each, against scoring them",
        "rows/s",
        work / scoring_s,
        work / (stopwatch() - started),
    )


def _files_of_answers(folder: Path) -> list[Path]:
    answers, references = rows_of_answers()
    random = np.random.default_rng(1)
    paths = [folder / f"run-{number}.csv" for number in range(RUNS)]
    for path in paths:
        said = np.where(random.random(ROWS) < 0.1, references, answers)
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["filename", "question", "answer", "prediction"])
            for place, row in enumerate(zip(references, said, strict=True)):
                writer.writerow([f"{place % IMAGES}.jpg", f"what is it {place // IMAGES}", *row])
    return paths


def _reports_of_builds(folder: Path) -> list[Comparison]:
    """Race the whole command against that of the commit in ``BEFORE``, where one is named.

    Each build reports on runs that it scored itself.
    """
    commit = os.environ.get("BEFORE")
    if not commit:
        return []
    files = list(map(str, _files_of_answers(folder)))
    builds = {"ours": ROOT, "before": build_of(commit, folder / "before")}

    def evaluator(name: str, *words: str) -> None:
        command = [sys.executable, "-m", "evaluator", *words]
        place = {**os.environ, "PYTHONPATH": str(builds[name])}
        subprocess.run(command, env=place, check=True, capture_output=True)

    for name in builds:
        evaluator(name, "score", *files, "--metrics", _METRICS, "--out", str(folder / name))

    def report_of(name: str) -> None:
        runs = [str(folder / name / f"run-{number}") for number in range(RUNS)]
        evaluator(name, "report", *runs, "--out", str(folder / f"{name}.html"))

    return [
        compare(
            f"report of {RUNS} runs, {ROWS:,} rows each, as a command, against {commit[:7]}",
            "rows/s",
            RUNS * ROWS,
            lambda: report_of("before"),
            lambda: report_of("ours"),
            rounds=1,
        )
    ]
