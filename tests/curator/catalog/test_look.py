"""The look at a catalogue before a campaign is entered, and what is told about it afterwards."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from curator.__main__ import app
from shared.program.cli import run_program
from tests.curator.campaigns import KEYS, ended
from tests.curator.pictures import write_abo


def command(*words: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        run_program(app, "curator", [*words])
    return stopped.value.code


@pytest.fixture
def goods(tmp_path):
    """A table of four products, none of whose pictures is there yet."""
    (tmp_path / "keys.txt").write_text(KEYS[0])
    (tmp_path / "pics").mkdir()
    (tmp_path / "goods.csv").write_text(
        "id,image,title\n1,a.jpg,Bowl\n2,b.jpg,Cup\n3,/elsewhere/c.jpg,Pot\n4,d.jpg,Pan, deep\n"
    )
    return tmp_path


@pytest.mark.parametrize("name", ["run", "plan"])
def test_a_catalogue_without_any_usable_image_is_refused_before_anything_is_written(
    goods, capsys, name
):
    words = [name, "--catalog", str(goods / "goods.csv"), "--images", str(goods / "pics")]
    words += ["--keys", str(goods / "keys.txt")]
    words += ["--ledger", str(goods / "l.db")] if name == "run" else []
    before = sorted(goods.rglob("*"))
    assert command(*words) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "reading the" not in line]
    assert len(lines) == 1
    assert "2 not in the images folder (first: a.jpg)" in lines[0]
    assert "1 outside the images folder (first: /elsewhere/c.jpg)" in lines[0]
    assert "1 row longer than the header (first: line 5)" in lines[0]
    assert "--images DIR" in lines[0]
    assert sorted(goods.rglob("*")) == before


async def test_what_is_left_out_is_told_by_reason_and_asked_about_once_it_is_there(stage, capsys):
    campaign = await stage()
    small = campaign.catalog / "images" / "small"
    pictures = sorted(path.relative_to(small).as_posix() for path in small.rglob("*.jpg"))
    late = (small / pictures[1]).rename(small / "late")
    table = campaign.folder / "goods.csv"
    names = [*pictures[:3], "https://host.example/gone.jpg"]
    table.write_text("id,image\n" + "".join(f"{place},{one}\n" for place, one in enumerate(names)))

    process = await campaign.start("--catalog", str(table), "--images", str(small))
    result = await ended(process)
    assert result.code == 0, result.err
    assert f"1 not in the images folder (first: {pictures[1]})" in result.out.splitlines()[-1]
    status = await campaign.status()
    assert status["progress"]["total"] == 2
    missing = {"reason": "not in the images folder", "count": 1, "first": pictures[1]}
    assert missing in status["left_out"]
    assert [one["count"] for one in status["left_out"]] == [1, 1]

    late.rename(small / pictures[1])
    assert (await campaign.run(catalog=table, images=small)).code == 0
    status = await campaign.status()
    assert status["progress"]["done"] == 3
    assert [one["first"] for one in status["left_out"]] == ["https://host.example/gone.jpg"]
    run_program_status(campaign)
    assert "left out" in capsys.readouterr().out


def run_program_status(campaign) -> None:
    assert command("status", "--ledger", str(campaign.ledger)) == 0


async def test_the_product_of_variants_reaches_the_export(stage):
    campaign = await stage()
    small = campaign.catalog / "images" / "small"
    names = sorted(path.relative_to(small).as_posix() for path in small.rglob("*.jpg"))[:2]
    table = campaign.folder / "goods.csv"
    table.write_text(f"sku,parent_sku,image\nred,cap,{names[0]}\nblue,cap,{names[1]}\n")
    assert (await campaign.run(catalog=table, images=small)).code == 0
    out = campaign.folder / "pairs.jsonl"
    assert await asyncio.to_thread(export, campaign.ledger, out) == 0
    rows = {
        row["listing_id"]: row["product"] for row in map(json.loads, out.read_text().splitlines())
    }
    assert rows == {"red": "cap", "blue": "cap"}


def export(ledger: Path, out: Path) -> int:
    return command("export", "--ledger", str(ledger), "--out", str(out))


def test_a_plan_tells_what_it_leaves_out(goods, capsys):
    write_abo(goods / "abo", 1)
    (picture,) = (goods / "abo" / "images" / "small").rglob("*.jpg")
    picture.rename(goods / "pics" / "a.jpg")
    words = ["plan", "--catalog", str(goods / "goods.csv"), "--images", str(goods / "pics")]
    words += ["--keys", str(goods / "keys.txt"), "--rpd", "100"]
    assert command(*words, "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["images"] == 1
    assert [one["count"] for one in plan["left_out"]] == [1, 1, 1]
    assert command(*words) == 0
    assert "Left out: 1 row longer than the header" in capsys.readouterr().out


def test_the_line_about_the_catalogue_says_what_was_left_out_and_nothing_where_nothing_was(
    goods, tmp_path, capsys
):
    (goods / "pics" / "a.jpg").touch()
    lines = []
    for name, rows in (("whole.csv", "a.jpg\n"), ("half.csv", "a.jpg\nb.jpg\n")):
        (goods / name).write_text("image\n" + rows)
        ledger = tmp_path / f"{name}.db"
        command(
            *("run", "--catalog", str(goods / name), "--images", str(goods / "pics")),
            *("--keys", str(goods / "keys.txt"), "--ledger", str(ledger)),
            *("--endpoint", "http://127.0.0.1:9"),
        )
        told = capsys.readouterr().err.splitlines()
        lines.append(next(line for line in told if "catalogue_read" in line))
    assert "left_out" not in lines[0]
    assert "left_out='1 not in the images folder (first: b.jpg)'" in lines[1]
    assert "added=1" in lines[1]
