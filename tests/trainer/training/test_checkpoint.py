"""A checkpoint is there whole or not at all, and only the same run goes on with it."""

import json
import shutil

import pytest
import torch

from shared.errors import InputError
from trainer.training.checkpoint import (
    RunState,
    forget_checkpoint,
    load_checkpoint,
    save_checkpoint,
)


class Small:
    """A weight that one step of AdamW has changed, saved after step 3."""

    def __init__(self, folder):
        self.weight = torch.nn.Parameter(torch.ones(3))
        self.optimizer = torch.optim.AdamW([self.weight], lr=0.1)
        self.weight.sum().backward()
        self.optimizer.step()
        self.save(folder, 3)

    def save(self, folder, step):
        weights = {"weight": self.weight.detach()}
        save_checkpoint(folder, weights, self.optimizer, RunState(step, "recipe"))


def fresh_optimizer():
    return torch.optim.AdamW([torch.nn.Parameter(torch.ones(3))], lr=0.1)


def test_weights_optimiser_and_step_come_back(tmp_path):
    run, optimizer = Small(tmp_path / "checkpoint"), fresh_optimizer()
    state, weights = load_checkpoint(tmp_path / "checkpoint", optimizer, "recipe")
    assert state == RunState(3, "recipe")
    assert weights["weight"].equal(run.weight)
    [[before], [after]] = [list(holder.state.values()) for holder in (run.optimizer, optimizer)]
    assert before["exp_avg"].equal(after["exp_avg"])


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path):
    Small(tmp_path / "checkpoint")
    with pytest.raises(InputError, match="another recipe or other data"):
        load_checkpoint(tmp_path / "checkpoint", fresh_optimizer(), "other")


def test_a_checkpoint_of_another_release_is_refused(tmp_path):
    Small(tmp_path / "checkpoint")
    facts = {"step": 3, "best_exact_match": 0.5, "recipe_sha256": "recipe"}
    (tmp_path / "checkpoint" / "state.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match="remove that folder to start again"):
        load_checkpoint(tmp_path / "checkpoint", fresh_optimizer(), "recipe")


def test_where_nothing_was_saved_there_is_nothing_to_resume(tmp_path):
    assert load_checkpoint(tmp_path / "none", fresh_optimizer(), "recipe") is None


def test_a_crash_between_the_renames_leaves_the_old_checkpoint(tmp_path):
    run = Small(tmp_path / "checkpoint")
    (tmp_path / "checkpoint").rename(tmp_path / ".checkpoint.old")
    (tmp_path / ".checkpoint.1234.part").mkdir()
    state, _ = load_checkpoint(tmp_path / "checkpoint", fresh_optimizer(), "recipe")
    assert state.step == 3
    run.save(tmp_path / "checkpoint", 4)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_a_checkpoint_that_is_forgotten_is_gone_with_the_one_before_it(tmp_path):
    Small(tmp_path / "checkpoint")
    shutil.copytree(tmp_path / "checkpoint", tmp_path / ".checkpoint.old")
    forget_checkpoint(tmp_path / "checkpoint")
    assert not any(tmp_path.iterdir())
