"""``docs/operating.md`` and the files beside it hold what the programs do."""

from __future__ import annotations

import configparser
import io
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import typer
import yaml

import curator.__main__
from curator.forecast.forecast import Forecast
from curator.ledger import (
    BatchCounts,
    Campaign,
    CampaignReport,
    CanaryDay,
    KeyReport,
    Ledger,
    OpinionCounts,
    Progress,
    migrate,
    require_ledger,
)
from curator.status.page.metrics import metrics_text
from curator.status.status import KeyState, Standing, status_object
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.quota import Quota
from shared.endpoints.pool.records import ModelUse
from shared.endpoints.protocols.annotator import DEFAULT_TIMEOUT_S

ROOT = Path(__file__).parents[1]
FILES = ROOT / "docs" / "operating"
TEXT = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
UNITS = sorted([*FILES.glob("*.service"), *FILES.glob("*.timer")])


def taken(words: list[str]) -> dict[str, object]:
    """Parse the words after ``curator`` as the program does; nothing is run."""
    program = typer.main.get_command(curator.__main__.app)
    context = program.make_context("curator", list(words))
    name, command, rest = program.resolve_command(context, words)  # type: ignore[attr-defined]
    return command.make_context(name, rest, parent=context).params


def read_unit(path: Path) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(path.read_text(encoding="utf-8"))
    return unit


def verify_units(folder: Path, text: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Let systemd look at units whose program and user are there."""
    program = folder / "curator"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name, content in text.items():
        there = content.replace("/opt/abo-vqa/bin/curator", str(program))
        (folder / name).write_text(there.replace("User=curator", "User=root"))
    paths = [str(folder / name) for name in text]
    return subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *paths],
        check=False, capture_output=True, text=True,
    )  # fmt: skip


needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze"
)


@needs_systemd
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    ran = verify_units(tmp_path, {unit.name: unit.read_text() for unit in UNITS})
    complaints = [line for line in ran.stderr.splitlines() if str(tmp_path) in line]
    assert complaints == []
    assert ran.returncode == 0, ran.stderr


@needs_systemd
def test_systemd_would_complain(tmp_path: Path) -> None:
    """The test above can fail."""
    text = (FILES / "curator.service").read_text().replace("TimeoutStopSec=150", "TimeoutStop=1x")
    assert "TimeoutStop" in verify_units(tmp_path, {"curator.service": text}).stderr


@needs_systemd
def test_the_timer_is_due_at_midnight_in_los_angeles() -> None:
    when = read_unit(FILES / "curator-daily.timer")["Timer"]["OnCalendar"]
    ran = subprocess.run(
        ["systemd-analyze", "calendar", when], check=False, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert "00:05:00 America/Los_Angeles" in ran.stdout


@pytest.mark.parametrize("unit", [one for one in UNITS if one.suffix == ".service"])
def test_the_units_start_what_the_program_takes_and_stop_it_gently(unit: Path) -> None:
    service = read_unit(unit)["Service"]
    words = shlex.split(service["ExecStart"])
    assert Path(words[0]).name == "curator"
    params = taken(words[1:])
    assert int(service["TimeoutStopSec"]) > (params["timeout_s"] or DEFAULT_TIMEOUT_S)
    assert service["SuccessExitStatus"] == "75"
    waits = str(params["on_exhausted"]) == "wait"
    assert waits == (unit.name == "curator.service")


def test_docker_takes_the_file_and_what_it_copies_is_there() -> None:
    parser = pytest.importorskip("dockerfile_parse", reason="needs dockerfile-parse")
    file = parser.DockerfileParser(fileobj=io.BytesIO((FILES / "Dockerfile").read_bytes()))
    steps = [(one["instruction"], one["value"]) for one in file.structure]
    names = [name for name, _ in steps if name != "COMMENT"]
    known = {
        "FROM",
        "RUN",
        "COPY",
        "USER",
        "WORKDIR",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    }
    assert set(names) <= known
    assert names[0] == "FROM"
    assert file.baseimage == f"python:{'.'.join(map(str, (3, 11)))}-slim"
    copied = {source for name, value in steps if name == "COPY" for source in value.split()[:-1]}
    assert {"curator", "shared", "pyproject.toml", "constraints.txt"} <= copied
    assert [source for source in copied if not (ROOT / source).exists()] == []
    [command] = [yaml.safe_load(value) for name, value in steps if name == "CMD"]
    assert taken(command)["status"] == "0.0.0.0:8080"
    [health] = [value for name, value in steps if name == "HEALTHCHECK"]
    check = yaml.safe_load(health.partition("CMD ")[2])
    assert check[:2] == ["python", "-c"]
    compile(check[2], "HEALTHCHECK", "exec")


@pytest.mark.skipif(shutil.which("logrotate") is None, reason="needs logrotate")
def test_logrotate_takes_its_file(tmp_path: Path) -> None:
    text = (FILES / "logrotate.conf").read_text().replace("/srv/curator", str(tmp_path))
    config = tmp_path / "logrotate.conf"
    config.write_text(re.sub(r"^ *su .*\n", "", text, flags=re.MULTILINE))
    config.chmod(0o644)
    (tmp_path / "l.db.log.jsonl").write_text("{}\n")
    state = ["--state", str(tmp_path / "state")]
    ran = subprocess.run(
        ["logrotate", *state, "--force", str(config)], check=False, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (tmp_path / "l.db.log.jsonl.1").exists()
    assert not (tmp_path / "l.db.log.jsonl").exists()


MODEL = "gemini-2.5-flash"


def standing() -> Standing:
    key = KeyReport(
        "fp",
        "laptop",
        "p",
        "",
        {"answered": 1, "open": 1},
        Quota(),
        [ModelUse(MODEL, 1, Quota(1, 2, 3))],
    )
    report = CampaignReport(
        campaign_id=1, campaign=Campaign((AskedModel(MODEL),), "v", 10), progress=Progress(1, 1, 1),
        pairs_by_model={MODEL: 1}, rejected={"empty": 1},
        outcomes_by_model={MODEL: {"answered": 1}}, replies={},
        opinions=OpinionCounts(), tokens_spent={},
        keys=(key,), blocked=(), dead_letters=(), given_up={}, finished_recently=1, recent_s=300.0,
        batches=BatchCounts({"running": 1}, {"running": 2}, 3.0, 4),
        canary_days=tuple(CanaryDay(MODEL, f"2026-01-0{n}", 1, 1, {1: True}) for n in (2, 3)),
    )  # fmt: skip
    return Standing(report, Forecast(1.0))


def test_the_metrics_are_those_that_are_told_of() -> None:
    made = metrics_text(standing(), 0.0).decode()
    names = set(re.findall(r"^(curator_\w+)[{ ]", made, re.MULTILINE))
    told = set(re.findall(r"\bcurator_\w+", TEXT))
    assert told == names
    alerts = (FILES / "alerts.yml").read_text()
    used = {name for rule in rules() for name in re.findall(r"\bcurator_\w+", rule["expr"])}
    assert used
    assert used <= names
    for state in re.findall(r'curator_key_state\{state="(\w+)"', alerts):
        assert state in {one.value.replace(" ", "_") for one in KeyState}


def rules() -> Iterator[dict[str, str]]:
    for group in yaml.safe_load((FILES / "alerts.yml").read_text())["groups"]:
        yield from group["rules"]


def test_the_scrape_is_yaml_with_a_token() -> None:
    [job] = yaml.safe_load((FILES / "prometheus.yml").read_text())["scrape_configs"]
    assert job["authorization"]["credentials_file"]
    assert job["static_configs"][0]["targets"] == ["127.0.0.1:8080"]


def test_the_fields_of_the_status_are_those_that_are_told_of() -> None:
    table = TEXT.partition("| field | what |")[2].partition("\n\n")[0]
    rows = [row for row in table.splitlines() if row.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    [campaign] = status_object([standing()], 0.0)["campaigns"]
    assert told == set(campaign)
    [keys] = [row for row in rows if row.startswith("| `keys`")]
    assert set(campaign["keys"][0]) <= set(re.findall(r"`(\w+)`", keys))


def test_the_paths_are_those_that_are_told_of() -> None:
    site = (ROOT / "curator/status/page/site.py").read_text()
    told = set(re.findall(r"^\| `(/\w*(?:/\w+)?)", TEXT, re.MULTILINE))
    served = set(re.findall(r'(?:web\.get|\.route)\(r?"(/[a-z/]*)', site)) - {"/login"}
    assert {path.rstrip("/") or "/" for path in served} | {"/"} == {
        path.removesuffix("/ITEM") or "/" for path in told
    }


async def test_a_backup_that_is_taken_while_a_run_works_is_whole(tmp_path: Path) -> None:
    [command] = re.findall(r'^    sqlite3 abo\.db "(.*)"$', TEXT, re.MULTILINE)
    path, copy = tmp_path / "abo.db", tmp_path / "abo-backup.db"
    migrate(path)
    async with Ledger.opened(path) as ledger:
        campaign = Campaign((AskedModel("m"),), "v", 10)
        assert await ledger.enrol(campaign, 1.0) == 1
        assert (tmp_path / "abo.db-wal").stat().st_size > 0
        with closing(sqlite3.connect(path)) as database:
            database.execute(command.replace("abo-backup.db", str(copy)))
    require_ledger(copy)
    async with Ledger.opened(copy) as ledger:
        [report] = await ledger.reports(2.0)
    assert report.campaign == campaign


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)]+)\)", TEXT)
    assert targets
    assert [one for one in targets if not _leads_somewhere(one)] == []


def _leads_somewhere(target: str) -> bool:
    """Return whether a file is there, and a heading of it where one is named."""
    name, _, anchor = target.partition("#")
    path = ROOT / "docs" / (name or "operating.md")
    if not anchor:
        return path.exists()
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE) if path.exists() else []
    slugs = [re.sub(r"[^\w\- ]", "", each).lower().replace(" ", "-") for each in headings]
    return anchor in slugs


def test_commands_are_taken_as_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    # Where they have its file of a campaign copied to.
    monkeypatch.chdir(FILES)
    lines = [line.strip() for line in TEXT.splitlines() if line.startswith("    curator ")]
    assert lines
    for line in lines:
        assert taken(shlex.split(line)[1:])
    assert sys.version_info >= (3, 11)
