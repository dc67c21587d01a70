"""Muon takes the matrices of layers, AdamW the rest, and both go on from what they were."""

import torch
from torch import nn

from tests.trainer.pretraining.test_run import recipe
from trainer.pretraining.optimizer import optimizer_of
from trainer.training.loop import RATE_TIMES


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.ModuleDict({"layers": nn.ModuleList(nn.Linear(4, 4) for _ in range(2))})
    layers["last"] = nn.Linear(4, 3)
    return layers


def step(own: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    states = torch.eye(4)
    for layer in own["layers"]:
        states = layer(states)
    own["last"](states).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()


def test_each_takes_its_own_weights(tmp_path):
    own = network()
    groups = optimizer_of(own, recipe(tmp_path, tmp_path, muon_times=3.0)).param_groups
    muon, decayed, free = ([id(each) for each in group["params"]] for group in groups)
    assert muon == [id(layer.weight) for layer in own["layers"]]
    assert decayed == [id(own["last"].weight)]
    assert len(free) == 3
    assert [group.get(RATE_TIMES, 1.0) for group in groups] == [3.0, 1.0, 1.0]
    assert len(optimizer_of(own, recipe(tmp_path, tmp_path)).param_groups) == 2


def test_it_goes_on_from_its_state(tmp_path):
    settings = recipe(tmp_path, tmp_path, muon_times=3.0)
    whole, resumed = network(), network()
    optimizer = optimizer_of(whole, settings)
    step(whole, optimizer)
    torch.save(optimizer.state_dict(), tmp_path / "state.pt")
    resumed.load_state_dict(whole.state_dict())
    again = optimizer_of(resumed, settings)
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for own, its in ((whole, optimizer), (resumed, again)):
        for group in its.param_groups:
            group["lr"] = 0.01 * group.get(RATE_TIMES, 1.0)
        step(own, its)
    for name, weight in whole.state_dict().items():
        assert weight.equal(resumed.state_dict()[name]), name
