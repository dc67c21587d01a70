"""What a plan shows of the first requests, held against those that a run sends."""

from __future__ import annotations

import json

import pytest

from curator.catalog import open_catalog
from curator.forecast.first_requests import first_requests, taken_for_granted
from curator.prompts.prompt import Prompt
from curator.prompts.prompts import Prompts
from shared.endpoints.keys.asked_model import AskedModel
from shared.endpoints.keys.key import Key
from shared.endpoints.keys.keyfile import read_key_file
from shared.endpoints.keys.quota import Quota
from tests.curator.campaigns import ended, start_process
from tests.curator.pictures import draw_picture
from tests.fakes.openai_server import OpenAIServer

KEYS = ("AIzaSyKeyNumberOne001", "AIzaSyKeyNumberTwo002")


@pytest.fixture
def goods(tmp_path):
    for number in range(5):
        draw_picture(tmp_path / f"{number}.jpg", number, 48 if number else 900)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    rows = ["sku,image,title,price", "x,broken.jpg,Nothing,1"]
    rows += [f"s{number},{number}.jpg,Thing {number},9" for number in range(5)]
    (tmp_path / "goods.csv").write_text("\n".join(rows))
    return tmp_path / "goods.csv"


def test_the_first_three_readable_pictures_are_shown_as_they_are_sent(goods):
    shown = first_requests(open_catalog(goods), Prompts.alone(Prompt(4, 2)))
    assert [one.image for one in shown] == ["0.jpg", "1.jpg", "2.jpg"]
    assert [(one.width_px, one.height_px) for one in shown] == [(512, 512), (48, 48), (48, 48)]
    assert shown[1].image_bytes == (goods.parent / "1.jpg").stat().st_size
    assert shown[1].text_after == "Catalogue data:\ntitle: Thing 1"
    assert "exactly 4 questions" in shown[1].text_before


@pytest.mark.slow
async def test_a_run_sends_what_the_plan_shows_and_no_key_is_in_it(goods, tmp_path):
    (tmp_path / "keys.txt").write_text(KEYS[0])
    options = ("--catalog", str(goods), "--keys", str(tmp_path / "keys.txt"), "--model", "llava")
    options += ("--service", "openai", "--questions", "3")
    server = OpenAIServer({})
    async with server.serving() as url:
        planned = await ended(await start_process("plan", *options, "--json"))
        shown = await ended(await start_process("plan", *options))
        run = ("--endpoint", url, "--ledger", str(tmp_path / "l.db"), "--concurrency", "1")
        await ended(await start_process("run", *options, *run))
    assert planned.code == shown.code == 0, planned.err
    told = json.loads(planned.out)["first_requests"]
    assert told["model"] == "llava"
    sent = {
        tuple(part["text"] for part in body["messages"][0]["content"] if part["type"] == "text")
        for body in server.seen
    }
    assert {(one["text_before"], one["text_after"]) for one in told["requests"]} <= sent
    assert KEYS[0] not in planned.out + shown.out
    assert "1. listing s0: 0.jpg, sent as 512 x 512 px" in shown.out
    assert shown.out.count("visual question answering") == 1


def test_what_is_taken_for_granted_of_keys_is_said_with_the_way_out(tmp_path):
    def lines(text, *models):
        (tmp_path / "keys").write_text(text)
        keys = read_key_file(tmp_path / "keys").keys
        return taken_for_granted(keys, models or [AskedModel("m")])

    plain = lines("\n".join(KEYS))
    assert [line.partition(";")[0] for line in plain] == [
        "All 2 keys state no limits",
        "All 2 keys state no project",
    ]
    (alone,) = lines("\n".join(KEYS), AskedModel("m", Quota(rpd=20)))
    assert alone.startswith("All 2 keys state no project")
    assert [line.partition(";")[0] for line in lines(KEYS[0])] == ["The key states no limits"]
    stated = "".join(
        f'[[key]]\napi_key = "{key}"\nproject = "{key[-3:]}"\nrpd = 20\n' for key in KEYS
    )
    assert lines(stated) == []
    assert taken_for_granted([Key("no-key", "no-project", "")], [AskedModel("m")]) == []
    half = stated + '[[key]]\napi_key = "AIzaSyKeyNumberThree3"\n'
    assert [line.partition(";")[0] for line in lines(half)] == ["1 of 3 keys states no limits"]
