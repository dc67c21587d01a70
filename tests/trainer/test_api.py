"""The trainer from Python: a recipe as a file, as tables or as settings."""

from __future__ import annotations

import pytest

from shared.errors import InputError
from trainer import fit
from trainer.api import _tables


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
