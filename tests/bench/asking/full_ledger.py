"""The ledger at full size: 400,000 listings read, gone on with, and looked at with 4 M pairs."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median

from curator.ledger.repair.mending import count_pairs
from tests.bench.asking.cost import Cost, cost_of
from tests.bench.asking.race import Race, Run, lean_server, measured, write_course
from tests.bench.builds import ROOT
from tests.bench.measure import Comparison

LISTINGS = 400_000
PICTURES = 3_000
"""Those that are asked about in the run."""
MOST_MB = 250
FIRST_REQUEST_S = 2.0
FIRST_IMPORT_S = 5.0
IMPORTS = 3
STATUS_S = 1.0
EXPORT_MB = 200
LOOKS = 5

FILL = """
BEGIN;
WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 9)
INSERT INTO pairs (campaign_id, item_id, position, question, answer, difficulty, agreement,
  attempt_id) SELECT campaign_id, item_id, n, 'What is part ' || n || ' of the thing shown?',
  'wood', 'easy', 'unknown', 1 FROM work, numbers WHERE state = 0;
INSERT INTO attempts (campaign_id, item_id, key_fingerprint, project, model, started_at,
  reserved_tokens, finished_at, outcome, detail, input_tokens, output_tokens, thought_tokens,
  ending, form, drafts)
  SELECT work.campaign_id, work.item_id, fingerprint, project, models ->> '$[0].name',
  julianday() * 86400 - 210866760000 - 5 * rank, 700, julianday() * 86400 - 210866757000 - 5 * rank,
  'answered', '', 700, 300, 0, 'STOP', 'json', 10
  FROM work JOIN campaigns ON id = campaign_id, (SELECT * FROM keys LIMIT 1) WHERE state = 0;
INSERT INTO second_opinions SELECT campaign_id, item_id, question, item_id % 10 > 0, 0, '', 'wood',
  item_id % 10 > 3, NULL FROM pairs WHERE position = 0;
INSERT INTO rejected_pairs (campaign_id, item_id, attempt_id, rule, question, answer)
  SELECT campaign_id, item_id, 0, 'duplicate', 'What is this?', 'wood' FROM work WHERE state = 0;
UPDATE work SET state = 1 WHERE state = 0 AND item_id % 100 > 0;
COMMIT;
"""
"""All but a hundredth answered, ten pairs each; one pair of each has a second opinion."""


PLAIN = """
import csv, sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute(
    "SELECT image_path || question, question, answer, image_path FROM pairs "
    "JOIN items ON id = item_id ORDER BY campaign_id, item_id, position"
)
with open(sys.argv[2], "w", newline="") as file:
    csv.writer(file).writerows(rows)
"""


def bench_full_ledger(folder: Path) -> Iterator[Comparison]:
    """The first run, the next ones, and ``curator status``, each against what is wanted of it."""
    write_course(folder, LISTINGS)
    with (folder / "catalog.csv").open("w") as file:
        file.write("image,item_name,color,material\n")
        file.writelines(
            f"{number:06}.jpg,Chair number {number} of solid wood,Brown,Oak\n"
            for number in range(LISTINGS)
        )
    firsts = [_run(folder, 1, 1, f"first-{turn}.db").start_s for turn in range(IMPORTS)]
    seen = ", ".join(f"{start_s:.2f}" for start_s in firsts)
    what = f"{LISTINGS:,} listings, new ledger, {seen} s to the first request, against 5 s"
    yield Comparison(what, "1/s", 1 / FIRST_IMPORT_S, 1 / median(firsts))
    done = 0
    for name, limit in (("read", 1), ("gone on with", 2), ("run", PICTURES)):
        ran = _run(folder, limit, limit - done, "full.db")
        done = limit
        what = f"{LISTINGS:,} listings {name}, {ran.peak_mb:.0f} MB at most, against {MOST_MB} MB"
        yield Comparison(what, "1/GB", 1000 / MOST_MB, 1000 / ran.peak_mb)
        if name == "gone on with":
            what = f"{LISTINGS:,} listings, {ran.start_s:.2f} s to the first request, against 2 s"
            yield Comparison(what, "1/s", 1 / FIRST_REQUEST_S, 1 / ran.start_s)
    with closing(sqlite3.connect(folder / "full.db")) as database:
        database.executescript(FILL)
        with database:
            count_pairs(database)
        [pairs] = database.execute("SELECT count(*) FROM pairs").fetchone()
    wall_s, cpu_s = _looked(folder)
    what = f"curator status, {pairs:,} pairs, {wall_s:.2f} s ({cpu_s:.2f} of CPU), against 1 s"
    yield Comparison(what, "1/s", 1 / STATUS_S, 1 / wall_s)
    yield from _exports(folder, folder / "full.db", pairs)


def _exports(folder: Path, ledger: Path, pairs: int) -> Iterator[Comparison]:
    """``curator export`` by CPU time against SQLite and ``csv`` alone, and by memory."""
    plain = [sys.executable, "-c", PLAIN, str(ledger), str(folder / "plain.csv")]
    reference = pairs / _done(plain).cpu_s
    for suffix in (".csv", ".jsonl", ".parquet"):
        out = folder / f"out{suffix}"
        words = ["curator", "export", "--ledger", str(ledger), "--out", str(out)]
        cost = _done([sys.executable, "-m", *words])
        what = f"curator export, {pairs:,} pairs, {suffix}"
        ours = pairs / cost.cpu_s
        yield Comparison(f"{what}, against sqlite3 and csv alone", "pairs/CPU s", reference, ours)
        what = f"{what}, {cost.peak_mb:.0f} MB at most, against {EXPORT_MB} MB"
        yield Comparison(what, "1/GB", 1000 / EXPORT_MB, 1000 / cost.peak_mb)


def _done(command: Sequence[str]) -> Cost:
    cost = cost_of(command)
    if cost.code:
        raise RuntimeError(f"{command[2]}: {cost.errors[-2000:]}")
    return cost


def _run(folder: Path, limit: int, count: int, ledger: str) -> Run:
    with lean_server() as url:
        words = [
            *("-m", "curator", "run", "--catalog", str(folder / "catalog.csv")),
            *("--images", str(folder / "images"), "--keys", str(folder / "keys.txt")),
            *("--ledger", str(folder / ledger), "--endpoint", url, "--limit", str(limit)),
        ]
        return measured("curator run", words, url, Race(folder, count), build=ROOT)


def _looked(folder: Path) -> tuple[float, float]:
    """Return the median seconds of ``curator status``: on the wall, and of CPU."""
    command = [sys.executable, "-m", "curator", "status", "--ledger", str(folder / "full.db")]
    costs = [cost_of(command) for _ in range(LOOKS)]
    if any(cost.code for cost in costs):
        raise RuntimeError(f"curator status: {costs[0].errors[-2000:]}")
    return median(cost.wall_s for cost in costs), median(cost.cpu_s for cost in costs)
