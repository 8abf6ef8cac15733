"""muP against table 3 of its paper, and what it is for: updates that do not depend on the width."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import fanin
from fanin.errors import FaninError


def mlp(width):
    return nn.Sequential(
        nn.Linear(16, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 4)
    )


# learning rate's multiplier and variance times fan_in, at 4 times the tuned width.
TABLE_3 = {
    "adam": {"0.weight": (1, 1), "2.weight": (1 / 4, 1), "4.weight": (1 / 4, 1 / 4), "0.bias": (1, 0)},
    "sgd": {"0.weight": (4, 1), "2.weight": (1, 1), "4.weight": (1 / 4, 1 / 4), "0.bias": (4, 0)},
}


@pytest.mark.parametrize("optimizer", TABLE_3)
def test_variances_and_learning_rates_are_table_3(optimizer):
    plan = fanin.plan(mlp(256), f"mup(width_mult=4, optimizer='{optimizer}')")
    for name, (rate, variance) in TABLE_3[optimizer].items():
        row = plan[name]
        fan_in = row.fan_in or 1
        assert (row.lr_multiplier, row.sd**2 * fan_in) == (pytest.approx(rate), pytest.approx(variance))
    model = fanin.apply(plan, mlp(256))
    assert float(model[4].weight.detach().pow(2).mean()) == pytest.approx(1 / (4 * 256), rel=0.2)
    assert fanin.InitPlan.from_json(plan.to_json()) == plan


def change_after_a_step(width, scheme, seed):
    """Return the outputs' mean square change after a step of Adam on the same task."""
    model = mlp(width)
    plan = fanin.plan(model, scheme.format(width / 64))
    fanin.apply(plan, model, seed=seed)
    optimizer = torch.optim.Adam(fanin.optimizer_groups(plan, model, lr=0.001))
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(64, 16, generator=generator), torch.randn(64, 4, generator=generator)
    before = model(x)
    nn.functional.mse_loss(before, y).backward()
    optimizer.step()
    return float((model(x) - before).pow(2).mean().detach())


def test_updates_do_not_grow_with_the_width():
    """The coordinate check: under muP the change is of one size, under He's it grows."""
    grown = {
        scheme: np.mean([change_after_a_step(1024, scheme, seed) for seed in range(3)])
        / np.mean([change_after_a_step(64, scheme, seed) for seed in range(3)])
        for scheme in ("mup(width_mult={}, gain=2)", "he_normal")
    }
    assert abs(math.log(grown["mup(width_mult={}, gain=2)"])) < math.log(3)
    assert grown["he_normal"] > 100


def test_groups_are_an_optimizers():
    model = mlp(256)
    model[0].bias.requires_grad_(False)
    plan = fanin.plan(model, "mup(width_mult=4)")
    groups = fanin.optimizer_groups(plan, fanin.apply(plan, model), lr=0.1)
    assert sorted(group["lr"] for group in groups) == [pytest.approx(0.025), pytest.approx(0.1)]
    assert sum(len(group["params"]) for group in groups) == 5
    torch.optim.SGD(groups)
    assert plan.lr_multipliers == {"2.weight": 0.25, "4.weight": 0.25}


def test_a_model_that_cannot_be_traced_is_asked_for_a_role():
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.last = nn.Linear(3, 8), nn.Linear(8, 8), nn.Linear(8, 2)

        def forward(self, x):
            return self.last(self.second(self.first(x)) if x.sum() > 0 else x)

    with pytest.raises(FaninError, match=r"Whether first\.weight reads the data"):
        fanin.plan(Branching(), "mup")
    roles = {"first.*": "embedding", "second.*": "recurrent"}
    plan = fanin.plan(Branching(), "mup(width_mult=2)", roles=roles)
    assert [plan[f"{name}.weight"].lr_multiplier for name in ("first", "second", "last")] == [1, 0.5, 0.5]


def test_bad_input_is_refused():
    with pytest.raises(FaninError, match="a positive ratio of widths"):
        fanin.plan(mlp(8), "mup(width_mult=0)")
    plan = fanin.plan(mlp(8), "mup(width_mult=2)")
    with pytest.raises(FaninError, match=r"no parameter '2\.weight' to give a learning rate"):
        fanin.optimizer_groups(plan, nn.Linear(3, 4), lr=0.1)
    with pytest.raises(FaninError, match="Parameter groups are PyTorch's"):
        fanin.optimizer_groups(plan, {"w": np.zeros(3)}, lr=0.1)
