"""Tiers: who takes which, and what is paid there, as dated data."""

from __future__ import annotations

import pytest

from shared.endpoints.models.known import packaged_models
from shared.endpoints.models.prices import Price
from shared.endpoints.models.tier import Tier, require_taken
from shared.endpoints.models.users_file import models_with
from shared.endpoints.protocols.registry import Service
from shared.errors import InputError

MODELS = packaged_models()
MILLION = 1_000_000


def test_flex_and_batch_halve_the_list_price_and_kept_input_costs_a_tenth_of_it_everywhere():
    price = MODELS.known("gemini-3.5-flash").price
    assert price.of(MILLION, MILLION) == pytest.approx(1.50 + 9.00)
    for tier in (Tier.FLEX, Tier.BATCH):
        assert price.at(tier).of(MILLION, MILLION) == pytest.approx((1.50 + 9.00) / 2)
        assert price.at(tier).of(MILLION, 0, cached_tokens=MILLION) == pytest.approx(0.15)
    assert price.at(Tier.STANDARD) == price


def test_kept_input_never_costs_more_than_other_input_of_the_tier():
    price = Price(1.0, 2.0, cached_usd=0.8, shares={"flex": 0.5})
    assert price.at(Tier.FLEX).of(MILLION, 0, cached_tokens=MILLION) == pytest.approx(0.5)


def test_what_is_paid_at_a_tier_is_the_files_word_and_the_models_own_comes_first(tmp_path):
    path = tmp_path / "models.toml"
    path.write_text(
        "[tier_shares]\nflex = 0.4\n"
        "[[model]]\nname = 'house'\nprice = { input_usd = 1, output_usd = 2 }\n"
        "[[model]]\nname = 'own'\n"
        "price = { input_usd = 1, output_usd = 2, tier_shares = { flex = 0.9 } }\n"
    )
    models = models_with(path)
    house, own = (models.known(name).price for name in ("house", "own"))
    assert house.at(Tier.FLEX).of(MILLION, MILLION) == pytest.approx(1.2)
    assert own.at(Tier.FLEX).of(MILLION, MILLION) == pytest.approx(2.7)
    # The file leaves out what batch costs, so nobody knows it.
    assert house.at(Tier.BATCH) is None


@pytest.mark.parametrize("share", ["0", "-1", "1.5", "'half'"])
def test_a_share_that_makes_no_sense_is_refused(tmp_path, share):
    path = tmp_path / "models.toml"
    path.write_text(f"[tier_shares]\nflex = {share}\n")
    with pytest.raises(InputError, match=r"tier_shares\.flex"):
        models_with(path)


def test_a_tier_is_refused_only_where_the_model_is_known_to_lack_it(tmp_path):
    path = tmp_path / "models.toml"
    path.write_text("[[model]]\nname = 'slow'\ntiers = ['standard', 'batch']\n")
    slow = models_with(path).known("slow")
    require_taken(Tier.BATCH, [slow])
    require_taken(Tier.FLEX, [MODELS.known("llava"), MODELS.known("gemini-3.8-flash")])
    with pytest.raises(InputError, match="--tier flex: slow takes standard, batch"):
        require_taken(Tier.FLEX, [MODELS.known("llava"), slow])


async def test_a_tier_that_is_not_to_be_had_ends_the_run_before_anything_is_written(stage):
    campaign = await stage()
    result = await campaign.run(annotator=Service.OPENAI, models=["x"], tier=Tier.BATCH)
    assert result.code == 2
    assert "--tier batch: --service openai takes standard, flex" in result.err
    assert not campaign.ledger.exists()
    assert campaign.requests == 0
