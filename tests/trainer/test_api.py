"""The trainer from Python: a recipe as a file, as tables or as settings."""

from __future__ import annotations

import re

import pytest

from shared.errors import InputError
from trainer import fit, quantize
from trainer.api import _tables
from trainer.quantizing.kept import Kept, Share
from trainer.quantizing.order import QuantizeResult


def test_settings_come_before_the_recipe_and_a_table_keeps_the_rest(tmp_path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('data = "d"\nepochs = 3\n[lora]\nrank = 4\nalpha = 8\n', encoding="utf-8")
    assert _tables(recipe, {"epochs": 5, "lora": {"rank": 2}}) == {
        "data": "d",
        "epochs": 5,
        "lora": {"rank": 2, "alpha": 8},
    }
    assert _tables({"epochs": 1}, {}) == _tables(None, {"epochs": 1}) == {"epochs": 1}


def test_what_cannot_be_is_one_error(tmp_path) -> None:
    good = {"data": str(tmp_path), "images": str(tmp_path), "out": str(tmp_path / "out")}
    for settings, reason in (
        ({**good, "epoch": 3}, "fit: unknown key 'epoch'; did you mean 'epochs'?"),
        ({**good, "model": "./none"}, "./none: no such model folder"),
        ({**good, "lora": {"rnk": 3}}, "did you mean 'rank'?"),
        ({**good, "epochs": 0}, "epochs"),
    ):
        with pytest.raises(InputError) as refused:
            fit(**settings)
        assert reason in str(refused.value)
    with pytest.raises(InputError, match="no such file"):
        fit(tmp_path / "none.toml")


def test_what_cannot_be_quantised_is_one_error(tmp_path) -> None:
    rows = tmp_path / "pairs.csv"
    rows.write_text("filename,question,answer\na.png,what is it,shoe\n", encoding="utf-8")
    good = {"data": rows, "images": tmp_path, "bits": 3}
    for settings, reason in (
        ({**good, "budget_mb": 3}, "give `budget_mb` or `bits`, and not both"),
        ({**good, "bits": float("nan")}, "bits: give a number above 0, not nan"),
        ({**good, "bits": 0}, "bits: give a number above 0, not 0"),
        ({**good, "bits": None}, "give `budget_mb` or `bits`, and not both"),
        ({**good, "data": None}, "give the questions to calibrate and to check with"),
        ({**good, "data": tmp_path / "none.csv"}, "none.csv"),
        ({**good, "adapter": tmp_path / "none"}, "no such adapter folder"),
        ({**good, "columns": {"answer": "truth"}}, "no column 'truth'"),
        ({**good, "questions": 0}, "questions: give 1 or more, not 0"),
        ({**good, "method": "nearly"}, "take one of nearest, hqq, gptq"),
    ):
        with pytest.raises(InputError) as refused:
            quantize("blip-vqa-tiny", tmp_path / "out", **settings)
        assert reason in str(refused.value)
        assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="no such model folder"):
        quantize("./none", tmp_path / "out", **good)
    assert not (tmp_path / "out").exists()


def test_what_was_quantised_shows_as_its_table_and_line(tmp_path) -> None:
    share = Share(0.9, 0.8, 1.0)
    row = Kept("chosen", "gptq", 2.99, 1_940_000, share, share)
    made = QuantizeResult(
        tmp_path / "[small]", "pairs", 200, "test", 1_950_000, {"a": 3}, (row,), "chosen"
    )
    html = made._repr_html_()
    assert html.startswith("<pre")
    told = " ".join(re.sub("<[^>]*>", "", html).split())
    assert "[small]: 1.95 MB of weights, 2.99 bits each; keeps 90.0% of the answers" in told
    assert len(repr(made)) < 1000
