"""Which trials a recipe's [sweep] makes, and the command that repeats one."""

import shlex

import pytest

from shared.errors import InputError
from shared.program.settings import load_settings, validated
from trainer.recipe.recipe import FitRecipe
from trainer.sweep.space import combinations, fit_command, trial_recipe, trials

PLACES = {"data": "dataset", "images": "images", "out": "sweep"}


def recipe_with(**sweep) -> FitRecipe:
    return validated(FitRecipe, {**PLACES, "sweep": sweep}, source="test")


def test_every_combination_with_every_seed_is_a_trial():
    recipe = recipe_with(rank=[4, 16], learning_rate=[1e-5, 1e-4], alpha=[8], seeds=[0, 1, 2])
    tried = trials(recipe)
    assert len({trial.name for trial in tried}) == len(tried) == 12
    assert {(t.combination.rank, t.combination.learning_rate, t.seed) for t in tried} == {
        (rank, rate, seed) for rank in (4, 16) for rate in (1e-5, 1e-4) for seed in (0, 1, 2)
    }
    # What is not varied is the recipe's own; a list of one replaces it.
    assert {(t.combination.alpha, t.combination.dropout) for t in tried} == {(8, 0.05)}


def test_a_draw_is_part_of_the_grid_and_the_same_one_each_time():
    space = {"rank": [2, 4, 8, 16], "alpha": [8, 16, 32], "dropout": [0, 0.1]}
    grid = combinations(recipe_with(**space))
    drawn = combinations(recipe_with(**space, combinations=5))
    assert len(set(drawn)) == 5
    assert set(drawn) < set(grid)
    assert drawn == combinations(recipe_with(**space, combinations=5))
    assert drawn != combinations(recipe_with(**space, combinations=5, draw_seed=1))


def test_targets_are_tried_in_every_form_that_a_recipe_knows():
    forms = ["auto", "all-linear", ".*text_model.*[.]q_proj", ["query", "value"]]
    tried = trials(recipe_with(targets=forms))
    assert [t.combination.targets for t in tried] == [*forms[:3], ("query", "value")]
    assert len({trial.name for trial in tried}) == 4


def test_a_trials_folder_does_not_depend_on_what_else_is_varied():
    few = {trial.name for trial in trials(recipe_with(rank=[4, 16]))}
    more = {trial.name for trial in trials(recipe_with(rank=[4, 16, 64], seeds=[0, 1]))}
    assert few < more


@pytest.mark.parametrize(
    ("sweep", "reason"),
    [
        ({"rnak": [4, 8]}, "unknown key 'sweep.rnak'; did you mean 'rank'"),
        ({"rank": [4, 0]}, "sweep.rank.1: "),
        ({"rank": 4}, "sweep.rank: "),
        ({"targets": ["query", "value"]}, "sweep.targets.0: "),
        ({"dropout": [0, 1.0]}, "sweep.dropout.1: "),
        ({"gpus_per_trial": "none"}, "sweep.gpus_per_trial"),
    ],
)
def test_a_wrong_space_is_refused_by_name(sweep, reason):
    with pytest.raises(InputError) as refused:
        recipe_with(**sweep)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("sweep", "reason"),
    [
        ({}, "varies nothing"),
        ({"rank": [4], "seeds": [3]}, "varies nothing"),
        ({"rank": [4, 8, 4]}, "sweep.rank: a value stands there twice"),
    ],
)
def test_a_space_without_choice_is_refused(sweep, reason):
    with pytest.raises(InputError, match=reason):
        trials(recipe_with(**sweep))


def test_the_command_trains_what_the_trial_trained(tmp_path):
    file = tmp_path / "the recipe.toml"
    file.write_text(
        'data = "dataset"\nimages = "images"\nout = "sweep"\n'
        '[sweep]\nrank = [4, 16]\ntargets = [["query", "value"], ["key"]]\nseeds = [0, 7]\n'
    )
    recipe = load_settings(FitRecipe, file)
    for trial in trials(recipe):
        words = shlex.split(fit_command(file, recipe, trial))
        assert words[:3] == ["trainer", "fit", str(file)]
        again = load_settings(FitRecipe, file, words[4::2])
        expected = trial_recipe(recipe, trial)
        apart = {"out", "sweep"}
        assert again.model_dump(exclude=apart) == expected.model_dump(exclude=apart)
        assert str(again.out) == "sweep-best"


def test_targets_that_a_recipe_leaves_to_the_family_stay_so(tmp_path):
    recipe = recipe_with(rank=[4, 16])
    trial = trials(recipe)[0]
    assert trial_recipe(recipe, trial).lora.targets == "auto"
    assert trial.combination.value("targets") == "auto"
