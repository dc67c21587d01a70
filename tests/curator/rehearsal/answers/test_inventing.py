"""What the rehearsal makes up passes the rules, in each style and language, the same each time."""

from __future__ import annotations

import io
import json
import sqlite3
from contextlib import closing

import pytest
from PIL import Image

from curator.judging.agreeing.listing_map import packaged_map
from curator.judging.judge import judge, judge_answer
from curator.prompts.prompt import Prompt, with_numbers
from curator.prompts.prompt_file import default_prompt, known_styles, read_prompt_file
from curator.rehearsal.answers.inventing import invented
from curator.rehearsal.answers.picture_facts import region_colours
from curator.rehearsal.answers.reply_text import answer_text, reply_text
from curator.rehearsal.inbound import read_inquiry
from shared.endpoints.protocols.annotator import Reply
from shared.endpoints.protocols.gemini_wire import request_body
from tests.curator.campaigns import PICTURES


def jpeg(colour: tuple[int, int, int], size: int = 120) -> bytes:
    """A square of a colour on white."""
    image = Image.new("RGB", (size, size), "white")
    image.paste(colour, (size // 4, size // 4, 3 * size // 4, 3 * size // 4))
    written = io.BytesIO()
    image.save(written, "JPEG")
    return written.getvalue()


def replied(prompt: Prompt, picture: bytes, image: str = "a.jpg") -> tuple[dict, Reply]:
    """The pairs that are made up for a prompt, and the reply that holds them."""
    inquiry = read_inquiry(request_body(prompt.request({}, picture, 120, image=image)))
    text = reply_text(inquiry, invented(inquiry).pairs)
    return json.loads(text), Reply(text, text, "STOP", 1, 1, 0)


def judged(prompt: Prompt, reply: Reply, image: str = "a.jpg"):
    return judge(reply, prompt, image=image, metadata={}, listing_map=packaged_map()).verdict


@pytest.fixture
def styled(tmp_path):
    """A prompt of every style in a language, with a field of each type."""

    def make(language: str, questions: int = 27) -> Prompt:
        styles = [*known_styles(), "joints"]
        shares = "\n".join(f"[styles.{name}]\nshare = {1 / len(styles)}" for name in styles)
        path = tmp_path / "prompt.toml"
        path.write_text(
            f"""
            language = "{language}"
            {shares}
            text = "how parts are joined"
            [fields.sure]
            type = "number"
            required = true
            [fields.parts]
            type = "integer"
            required = true
            [fields.seen]
            type = "boolean"
            required = true
            [fields.view]
            type = "choice"
            choices = ["front", "side"]
            required = true
            """,
            encoding="utf-8",
        )
        return with_numbers(read_prompt_file(path), questions, 2)

    return make


@pytest.mark.parametrize("language", ["en", "de", "hi"])
@pytest.mark.parametrize("image", ["a.jpg", "b.jpg", "c.jpg"])
def test_all_that_is_made_up_passes_the_rules_in_its_style_and_language(styled, language, image):
    prompt = styled(language)
    pairs, reply = replied(prompt, jpeg((200, 40, 40)), image)
    verdict = judged(prompt, reply, image)
    assert [(one.rule, one.draft.question) for one in verdict.rejected] == []
    asked = dict(prompt.asked(image).styles)
    assert {style: sum(one.style == style for one in verdict.accepted) for style in asked} == asked
    yes = [pair for pair in pairs if pair["answer"] == prompt.language.yes[0]]
    assert len(yes) == prompt.asked(image).yes
    assert all(set(one.others) == {"sure", "parts", "seen", "view"} for one in verdict.accepted)


@pytest.mark.parametrize("language", ["en", "de", "hi"])
def test_a_question_that_is_asked_again_has_the_same_answer(styled, language):
    prompt, picture = styled(language), jpeg((60, 140, 60))
    for pair in replied(prompt, picture)[0]:
        request = prompt.question_request(pair["question"], picture, 120)
        inquiry = read_inquiry(request_body(request))
        (known,) = {one.answer for one in invented(inquiry).pairs}
        reply = Reply("", answer_text(inquiry, known), "STOP", 1, 1, 0)
        assert judge_answer(reply, pair["answer"], prompt.language).agrees, pair


@pytest.mark.parametrize("questions", [1, 10, 50])
def test_the_default_prompt_gets_as_many_pairs_as_it_asks_for(questions):
    prompt = Prompt(questions, 1, default_prompt())
    pairs, reply = replied(prompt, jpeg((50, 80, 180)))
    assert len(pairs) == questions
    assert judged(prompt, reply).rejected == ()
    assert pairs[0] == {"question": pairs[0]["question"], "answer": "blue", "difficulty": "easy"}


def test_the_colour_is_that_of_what_stands_before_the_background():
    for colour in ((200, 40, 40), (30, 30, 200)):
        whole = region_colours(jpeg(colour), 4)[0]
        assert whole == pytest.approx(colour, abs=12)
    assert region_colours(jpeg((200, 40, 40), 480), 4)[0] == pytest.approx((200, 40, 40), abs=12)


async def test_a_campaign_is_rehearsed_about_any_catalogue_without_answers(stage, tmp_path):
    campaign = await stage(answers=None)
    prompt = tmp_path / "hindi.toml"
    prompt.write_text('language = "hi"\n[styles]\ncolour = 0.5\ncount = 0.5', encoding="utf-8")
    ended = await campaign.run(questions=6, answer_words=2, prompts=[(prompt, None)], verify=1.0)
    assert ended.code == 0, ended.err
    status = await campaign.status()
    assert (status["pairs"], status["rejected_by_rule"]) == (6 * PICTURES, {})
    assert status["second_opinions"]["agrees"] == 6 * PICTURES
    with closing(sqlite3.connect(campaign.ledger)) as database:
        counts = dict(database.execute("SELECT style, count(*) FROM pairs GROUP BY 1").fetchall())
    assert counts == {"colour": 3 * PICTURES, "count": 3 * PICTURES}
