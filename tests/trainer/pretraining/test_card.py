"""The card of a model from scratch names what taught it, if anything did."""

import pytest

from trainer.pretraining.card import PretrainedFacts, pretrained_card
from trainer.pretraining.teaching.teacher import known_teachers


@pytest.mark.parametrize("taught_by", ["", known_teachers()["efficientnet-lite0"].credit])
def test_the_card_credits_a_teacher(taught_by):
    facts = PretrainedFacts(
        name="model",
        data="pairs.csv",
        title="a model",
        credit="Pictures of somebody.",
        taught_by=taught_by,
        remarks="",
        began="scratch",
        parameters=5,
        exact_match=0.5,
        exact_match_nf4=0.5,
        prior_exact_match=0.4,
        recipe={},
        train_images=1,
        train_pairs=5,
        test_images=1,
        test_pairs=5,
        data_sha256="0",
        versions={},
    )
    card = pretrained_card(facts)
    assert "\n\n## How good it is" in card
    assert ("it was taught by" in card) is bool(taught_by)
    assert taught_by in card
