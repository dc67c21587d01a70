"""Tokens are estimated by what a model counted before, and at first by what is known."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from curator.prompts.prompt import Prompt
from shared.endpoints.models.asked_settings import AS_THE_MODEL_CHOOSES, AskedSettings
from shared.endpoints.models.known import packaged_models
from shared.endpoints.request import Measure
from shared.endpoints.token_estimates import CountedReply, TokenEstimates

MODELS = packaged_models()
TILED, FIXED = MODELS.known("llava"), MODELS.known("gemini-3.5-flash-lite")
LISTING, OPINION = Measure(1_200, 256, 10), Measure(400, 256, 0)


def estimates(*replies: CountedReply, settings: AskedSettings = AS_THE_MODEL_CHOOSES):
    made = TokenEstimates(MODELS.tile, settings)
    made.learn(replies)
    return made


def counted(model: str, measure: Measure = LISTING, *, text=500, images=1120, **more):
    settings = more.pop("settings", AS_THE_MODEL_CHOOSES)
    tokens = {"output": 400, "thoughts": 0} | more
    return CountedReply(model, settings, measure, input=text + images, images=images, **tokens)


def test_until_replies_tell_the_catalogue_of_models_and_the_prompt_do():
    first = estimates()
    assert first.input_tokens(FIXED, LISTING) == 1_200 / 4 + 1120
    assert first.input_tokens(TILED, LISTING) == 1_200 / 4 + 258
    assert first.output_tokens(FIXED, LISTING) == 400
    assert first.output_tokens(FIXED, OPINION) == 10
    assert not first.knows(FIXED, LISTING)


def test_a_limit_of_thinking_that_is_asked_for_counts_until_a_reply_tells():
    old, low = MODELS.known("gemini-2.5-flash"), AskedSettings(thinking="low")
    assert estimates(settings=low).upper_output_tokens(old, LISTING) == 400 + 1024
    # It is a limit, not what is usual; and of levels nobody says how many tokens they are.
    assert estimates(settings=low).output_tokens(old, LISTING) == 400
    assert estimates(settings=low).upper_output_tokens(FIXED, LISTING) == 400
    told = counted(old.name, output=300, thoughts=50, settings=low)
    assert estimates(told, settings=low).upper_output_tokens(old, LISTING) == 700


def test_texts_are_learned_by_their_length_and_images_by_their_size():
    learned = estimates(counted("llava", text=400, images=700))
    assert learned.input_tokens(TILED, LISTING) == 1_100
    longer = Measure(2_400, 256, 10)
    assert learned.input_tokens(TILED, longer) == 800 + 700
    # A larger image may count more: of that the reply says nothing.
    large = Measure(1_200, 512, 10)
    assert learned.input_tokens(TILED, large) == 400 + 4 * 258
    # The image is the same whatever is asked about it.
    assert learned.input_tokens(TILED, OPINION) == 100 + 700
    assert learned.input_tokens(FIXED, LISTING) == 1_420


def test_where_images_are_not_told_apart_the_whole_input_is_learned():
    learned = estimates(counted("llava", text=2_000, images=0))
    assert learned.input_tokens(TILED, LISTING) == 2_000
    assert learned.input_tokens(TILED, Measure(1_600, 256, 10)) == 2_100
    assert learned.input_tokens(TILED, OPINION) == 100 + 258


def test_answers_are_learned_by_what_is_asked_and_how_hard_it_is_to_think():
    low = AskedSettings(thinking="low")
    learned = estimates(
        counted(FIXED.name, output=300, thoughts=100),
        counted(FIXED.name, output=500, thoughts=100),
        counted(FIXED.name, output=200, thoughts=9_000, settings=low),
    )
    assert learned.output_tokens(FIXED, LISTING) == 500
    assert learned.upper_output_tokens(FIXED, LISTING) == 900
    assert learned.output_tokens(FIXED, OPINION) == 10
    learned.settings = low
    assert learned.output_tokens(FIXED, LISTING) == 9_200


def test_the_detail_that_is_asked_for_counts():
    low = AskedSettings(image_detail="low")
    told = counted(FIXED.name, images=280, settings=low)
    assert estimates(settings=low).input_tokens(FIXED, LISTING) == 300 + 280
    assert estimates(told, settings=low).input_tokens(FIXED, LISTING) == 780
    assert estimates(told).input_tokens(FIXED, LISTING) == 500 + 1120


def test_what_was_counted_long_ago_counts_less():
    old, new = counted(FIXED.name, images=1120), counted(FIXED.name, images=280)
    learned = estimates(*[old] * 4_000, *[new] * 4_000)
    assert learned.input_tokens(FIXED, LISTING) < 500 + 280 * 1.1


REPLIES = st.builds(
    CountedReply,
    st.sampled_from(["llava", FIXED.name]),
    st.builds(AskedSettings, st.sampled_from(["", "low"]), st.sampled_from(["", "low", "high"])),
    st.builds(Measure, st.integers(1, 5_000), st.integers(1, 512), st.integers(0, 10)),
    input=st.integers(1, 10**6),
    images=st.integers(0, 10**6),
    output=st.integers(0, 10**6),
    thoughts=st.integers(0, 10**6),
)


@given(st.lists(REPLIES, max_size=20), st.integers(0, 10))
def test_whatever_services_count_an_estimate_is_a_number_of_tokens(replies, questions):
    learned = estimates(*replies)
    for model in (TILED, FIXED):
        measure = Prompt(max(1, questions), 1).largest_measure(512)
        asked = Measure(measure.characters, 512, questions)
        assert learned.input_tokens(model, asked) >= 0
        least, upper = (
            learned.output_tokens(model, asked),
            learned.upper_output_tokens(model, asked),
        )
        assert 0 <= least <= upper
