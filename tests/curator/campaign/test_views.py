"""Several pictures of one listing go in one request, and each pair trains on the one it names."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import signal
import sqlite3
import zlib
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from shared.endpoints.models.budget_limit import BudgetLimit
from shared.endpoints.models.tier import Tier
from tests.curator.campaigns import KEYS, ended, start_process, until_requests
from tests.curator.pictures import draw_picture
from tests.fakes.openai_server import OpenAIServer

ALBUM = {"SKU-100": 5, "SKU-200": 2, "SKU-300": 1}
"""Folders that are products, and how many pictures each has."""
REQUESTS = 2 + 1 + 1


def write_album(folder: Path) -> Path:
    number = 100
    for name, count in ALBUM.items():
        for place in range(count):
            draw_picture(folder / name / f"{place}.jpg", number)
            number += 1
    return folder


@pytest.fixture
async def album(tmp_path, stage, rehearsal):
    """A campaign about products with several pictures, and the answers about each of them."""
    campaign = await stage(answers=None)
    images = write_album(tmp_path / "album")
    server = rehearsal(images)
    async with server.serving() as url:
        yield type(campaign)(campaign.folder, images, server, url, campaign.capsys)


def rows(campaign, statement: str) -> list[tuple]:
    with closing(sqlite3.connect(campaign.ledger)) as database:
        return database.execute(statement).fetchall()


def named_pairs(campaign) -> list[tuple]:
    statement = (
        "SELECT image_path, question, answer FROM pairs JOIN items ON items.id = pairs.item_id"
    )
    return rows(campaign, statement)


def answer_book(campaign) -> set[tuple]:
    with (campaign.folder.parent / "answers.csv").open(newline="") as file:
        return {(row["filename"], row["question"], row["answer"]) for row in csv.DictReader(file)}


async def test_each_pair_is_about_the_picture_that_it_names(album):
    done = await album.run(views=3, questions=6)
    assert done.code == 0, done.err
    assert album.requests == REQUESTS
    pairs = named_pairs(album)
    assert set(pairs) <= answer_book(album)
    # Three pictures share six questions, two share six, and one has all that are known.
    assert Counter(Counter(path for path, *_ in pairs).values()) == {2: 3, 3: 5}
    assert {path for path, *_ in pairs} == {
        f"{name}/{place}.jpg" for name, count in ALBUM.items() for place in range(count)
    }
    status = await album.status()
    assert (status["progress"]["done"], status["along"]) == (REQUESTS, 4)
    assert "4 images go along with another of their listing" in (await album.command("status")).out


async def test_exported_pairs_are_those_of_the_answer_book(album):
    await album.run(views=3, questions=6)
    out = album.folder / "qa.csv"
    assert (await album.command("export", "--out", str(out))).code == 0
    with out.open(newline="") as file:
        exported = {
            (row["filename"], row["question"], row["answer"]) for row in csv.DictReader(file)
        }
    assert exported == set(named_pairs(album))


async def test_a_run_that_was_killed_goes_on_and_asks_about_every_picture_once(
    tmp_path, stage, rehearsal
):
    campaign = await stage(answers=None)
    images = write_album(tmp_path / "album")
    server = rehearsal(images, latency={"mean_ms": 150})
    async with server.serving() as url:
        album = type(campaign)(campaign.folder, images, server, url, campaign.capsys)
        process = await album.start("--views", "3", "--concurrency", "1")
        await until_requests(album, 2)
        process.send_signal(signal.SIGKILL)
        await ended(process)
        again = await album.run(views=3)
    assert again.code == 0, again.err
    shown = rows(
        album,
        "SELECT item_id, views FROM attempts WHERE outcome = 'answered'",
    )
    pictures = [item for first, along in shown for item in json.loads(f"[{first}, {along or 0}]")]
    pictures = [item for item in pictures if item]
    assert sorted(pictures) == sorted({item for (item,) in rows(album, "SELECT id FROM items")})
    assert set(named_pairs(album)) <= answer_book(album)
    assert len(named_pairs(album)) == 3 * REQUESTS


async def test_what_went_along_with_a_picture_that_is_given_up_is_asked_about_after_all(
    tmp_path, stage, rehearsal
):
    campaign = await stage(answers=None)
    images = write_album(tmp_path / "album")
    # The service will not speak about what comes first, in words that are final.
    server = rehearsal(images, fault=[{"kind": "safety", "at": [2]}])
    async with server.serving() as url:
        album = type(campaign)(campaign.folder, images, server, url, campaign.capsys)
        done = await album.run(views=3, concurrency=1)
    assert done.code == 0, done.err
    status = await album.status()
    [dead] = rows(
        album,
        "SELECT item_id, image_path FROM work JOIN items ON items.id = item_id WHERE state = 2",
    )
    # Its listing's others wait no more: each was asked about, or went along with another.
    assert dead[1] == "SKU-100/3.jpg"
    assert status["progress"] == {"done": 4, "dead": 1, "pending": 0, "total": 5}
    assert (status["along"], album.requests) == (3, REQUESTS + 1)
    assert "SKU-100/4.jpg" in {path for path, *_ in named_pairs(album)}


async def test_a_picture_that_cannot_be_read_goes_along_with_none_and_is_told_of(album):
    (album.catalog / "SKU-100" / "1.jpg").write_bytes(b"no picture")
    done = await album.run(views=3, questions=6)
    assert done.code == 0, done.err
    status = await album.status()
    assert status["progress"] == {"done": REQUESTS, "dead": 1, "pending": 0, "total": REQUESTS + 1}
    [letter] = status["dead_letters"]
    assert letter["image_path"] == "SKU-100/1.jpg"
    assert "broken image" in letter["reason"]
    assert set(named_pairs(album)) <= answer_book(album)
    assert "SKU-100/2.jpg" in {path for path, *_ in named_pairs(album)}


async def test_judged_again_pairs_stay_with_their_pictures(album):
    await album.run(views=3, questions=6)
    before = named_pairs(album)
    again = await album.command("reparse")
    assert again.code == 0, again.err
    assert sorted(named_pairs(album)) == sorted(before)
    assert (await album.command("reparse")).code == 0
    assert sorted(named_pairs(album)) == sorted(before)


async def test_a_pair_that_names_a_picture_that_is_not_there_is_rejected_and_counted(album):
    await album.run(views=3, questions=6)
    [(attempt, packed)] = rows(
        album,
        "SELECT attempt_id, body FROM replies JOIN attempts ON attempts.id = attempt_id"
        " WHERE views LIKE '%,%'",
    )
    body = json.loads(zlib.decompress(packed))
    part = body["candidates"][0]["content"]["parts"][0]
    told = json.loads(part["text"])
    told[0]["picture"], told[1]["picture"] = 4, None
    part["text"] = json.dumps(told)
    with closing(sqlite3.connect(album.ledger)) as database, database:
        database.execute(
            "UPDATE replies SET body = ? WHERE attempt_id = ?",
            (zlib.compress(json.dumps(body).encode()), attempt),
        )
    before = len(named_pairs(album))
    assert (await album.command("reparse")).code == 0
    assert (await album.status())["rejected_by_rule"] == {"picture": 2}
    assert len(named_pairs(album)) == before - 2


async def test_second_opinions_look_at_the_picture_that_a_pair_names(album):
    done = await album.run(views=3, questions=6, verify=1.0)
    assert done.code == 0, done.err
    opinions = (await album.status())["second_opinions"]
    assert opinions["agrees"] == len(named_pairs(album))


async def test_one_picture_a_request_asks_what_it_always_asked(album):
    done = await album.run()
    assert (done.code, album.requests) == (0, sum(ALBUM.values()))
    [campaign] = rows(album, "SELECT prompt_version, prompts FROM campaigns")
    assert campaign[0] == "1-" + campaign[0][2:]
    assert "views" not in json.loads(campaign[1])[0]
    assert rows(album, "SELECT DISTINCT views FROM attempts") == [("",)]


async def test_in_batch_jobs_the_pictures_go_along_too(tmp_path, stage, rehearsal, clock):
    campaign = await stage(answers=None)
    images = write_album(tmp_path / "album")
    server = rehearsal(images, clock)
    async with server.serving() as url:
        album = type(campaign)(campaign.folder, images, server, url, campaign.capsys)
        done = await album.run(clock, views=3, questions=6, tier=Tier.BATCH)
    assert done.code == 0, done.err
    assert server.stats()["batch"]["requests_sent"] == REQUESTS
    pairs = named_pairs(album)
    assert set(pairs) <= answer_book(album)
    assert len({path for path, *_ in pairs}) == sum(ALBUM.values())


async def test_near_identical_pictures_are_set_aside_first(album):
    with Image.open(album.catalog / "SKU-200" / "0.jpg") as picture:
        picture.save(album.catalog / "SKU-100" / "9.jpg", quality=85)
    for _ in range(2):
        done = await album.run(views=3, questions=6, once_per_look=True)
        assert done.code == 0, done.err
    status = await album.status()
    assert (status["alike"], status["along"], album.requests) == (1, 4, REQUESTS)


@pytest.mark.parametrize("views", ["0", "17", "two"])
async def test_a_number_of_pictures_that_no_request_holds_is_one_line(tmp_path, views):
    process = await start_process(
        *("run", "--catalog", str(tmp_path), "--ledger", str(tmp_path / "l.db")),
        *("--views", views),
    )
    done = await ended(process)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "--views" in done.err
    assert not (tmp_path / "l.db").exists()


async def test_the_plan_counts_requests_and_says_what_goes_along(tmp_path):
    images = write_album(tmp_path / "album")
    (tmp_path / "keys.txt").write_text(KEYS[0])
    told = {}
    for views in ("1", "3"):
        options = ("plan", "--catalog", str(images), "--free", "--views", views, "--json")
        options += ("--keys", str(tmp_path / "keys.txt"))
        done = await ended(await start_process(*options))
        assert done.code == 0, done.err
        told[views] = json.loads(done.out)
    assert (told["1"]["images"], told["1"]["along"]) == (sum(ALBUM.values()), 0)
    assert (told["3"]["images"], told["3"]["along"]) == (REQUESTS, 4)
    assert told["3"]["first_requests"]["requests"][0]["further_images"] == [
        "SKU-100/1.jpg",
        "SKU-100/2.jpg",
    ]
    # Each picture is paid for, the words for several but once.
    assert told["3"]["total"]["input_tokens"] < told["1"]["total"]["input_tokens"]
    each = told["1"]["assumptions"]["input_tokens"].popitem()[1]
    assert told["3"]["assumptions"]["input_tokens"].popitem()[1] > each + 200


@pytest.mark.parametrize("is_plain", [False, True], ids=["by schema", "in a numbered list"])
async def test_other_services_see_the_pictures_in_order_and_name_them(tmp_path, is_plain):
    images = write_album(tmp_path / "album")
    (tmp_path / "keys.txt").write_text(KEYS[0])
    files = {path.relative_to(images).as_posix(): path for path in images.rglob("*.jpg")}
    known = {
        hashlib.sha256(path.read_bytes()).hexdigest(): [("Which of them is it?", name[8])]
        for name, path in files.items()
    }
    server = OpenAIServer(known, plain_models=frozenset({"llava"} if is_plain else ()))
    async with server.serving() as url:
        process = await start_process(
            *("run", "--catalog", str(images), "--ledger", str(tmp_path / "l.db")),
            *("--service", "openai", "--model", "llava", "--endpoint", url, "--views", "3"),
            *("--concurrency", "1", "--keys", str(tmp_path / "keys.txt")),
        )
        done = await ended(process)
    assert done.code == 0, done.err
    with closing(sqlite3.connect(tmp_path / "l.db")) as database:
        statement = "SELECT image_path, answer FROM pairs JOIN items ON items.id = pairs.item_id"
        pairs = database.execute(statement).fetchall()
    assert sorted(pairs) == [(name, name[8]) for name in sorted(files)]
    if is_plain:
        return
    parts = server.seen[0]["messages"][0]["content"]
    shown = [
        base64.b64decode(part["image_url"]["url"].partition(",")[2])
        for part in parts
        if part["type"] == "image_url"
    ]
    assert shown == [(images / "SKU-100" / f"{place}.jpg").read_bytes() for place in range(3)]
    texts = [part["text"] for part in parts if part["type"] == "text"]
    assert texts[0].endswith("Picture 1:")
    assert texts[1:3] == ["Picture 2:", "Picture 3:"]
    assert "picture" in json.dumps(server.seen[0]["response_format"])


async def test_a_field_of_that_name_is_refused_in_one_line(album):
    prompt = album.folder / "a.toml"
    prompt.write_text('[fields.picture]\ntype = "string"\n')
    own = await album.run(views=2, prompts=[(prompt, None)])
    assert (own.code, album.requests) == (2, 0)
    assert "field picture of its own" in own.err


async def test_all_pictures_of_a_listing_have_the_same_of_several_prompts(album):
    files = album.folder / "a.toml", album.folder / "b.toml"
    for rule, file in zip(("surplus", "duplicate_question"), files, strict=True):
        file.write_text(f"[rules]\n{rule} = false\n")
    done = await album.run(views=3, questions=6, prompts=[(file, 0.5) for file in files])
    assert (done.code, album.requests) == (0, REQUESTS), done.err
    out = album.folder / "qa.jsonl"
    await album.command("export", "--out", str(out))
    made_by: dict[str, set[str]] = {}
    for row in map(json.loads, out.read_text().splitlines()):
        made_by.setdefault(row["filename"].partition("/")[0], set()).add(row["prompt_version"])
    assert made_by.keys() == ALBUM.keys()
    assert {len(versions) for versions in made_by.values()} == {1}
    # Judged again, each reply is judged by the prompt that it answers.
    before = named_pairs(album)
    assert (await album.command("reparse")).code == 0
    assert sorted(named_pairs(album)) == sorted(before)


async def test_a_budget_ends_a_run_in_good_order_and_the_rest_is_asked_later(album):
    await album.run(views=3, questions=6, limit=1)
    first = (await album.status())["tokens"]
    most = 3 * (first["input"] + first["output"])
    stopped = await album.run(views=3, questions=6, budget=BudgetLimit(tokens=most), concurrency=1)
    assert stopped.code == 75, stopped.err
    spent = (await album.status())["tokens"]
    assert spent["input"] + spent["output"] <= most
    assert 1 < album.requests < REQUESTS
    assert (await album.run(views=3, questions=6)).code == 0
    assert album.requests == REQUESTS
    assert set(named_pairs(album)) <= answer_book(album)
