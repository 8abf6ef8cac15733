"""What is the same for models of all frameworks."""

import numpy as np
import pytest
import torch
from torch import nn

import fanin
from fanin import FaninError


def net():
    return nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 3))


def test_a_scheme_and_its_plan_are_the_same():
    model = net()
    plan = fanin.plan(model, "he_normal")
    one, other = (fanin.propagate(model, scheme, inputs=(8, 20)) for scheme in ("he_normal", plan))
    assert one.to_dict() == other.to_dict()


def test_a_model_is_read_as_it_is():
    model = net()
    with torch.no_grad():
        model[0].weight.fill_(0.0)
        model[0].weight[:, 0] = 3.0
        model[0].bias.zero_()
    found = fanin.propagate(model, inputs=(8, 20))
    assert found["0"].forward.q.value == pytest.approx(9, rel=0.05)
    assert found.parameters[0].second_moment == pytest.approx(9 / 20)


def test_data_and_what_describes_them_predict_alike():
    data = np.random.default_rng(0).normal(size=(64, 20)).astype("float32")
    one = fanin.propagate(net(), "he_normal", inputs=data)
    assert one["0"].forward.q.value == pytest.approx(2 * np.mean(data**2), rel=0.01)
    assert fanin.propagate(net(), "he_normal", inputs=torch.from_numpy(data)).to_dict() == one.to_dict()


def test_more_correlated_inputs_stay_more_correlated():
    cs = [
        fanin.propagate(net(), "he_normal", inputs=fanin.Inputs((8, 20), example=example))[
            "1"
        ].forward.c.value
        for example in (0.0, 0.5, 0.9)
    ]
    assert cs == sorted(cs)
    assert cs[0] == pytest.approx(1 / np.pi, abs=0.02)


def test_tokens_need_a_table_or_a_number():
    table = nn.Sequential(nn.Embedding(50, 8))
    assert fanin.measure(table, inputs="4x6:tokens")["0"].shape == (4, 6, 8)

    class Hidden(nn.Module):
        def forward(self, ids):
            return nn.functional.one_hot(ids, 50).float()

    with pytest.raises(FaninError, match="Nothing tells how many tokens Sequential knows"):
        fanin.measure(nn.Sequential(Hidden(), nn.Linear(50, 3)), inputs="4x6:tokens")
    measured = fanin.measure(nn.Sequential(Hidden(), nn.Linear(50, 3)), inputs="4x6:tokens(50)")
    assert measured["1"].shape == (4, 6, 3)


def test_the_number_of_inputs_must_fit():
    with pytest.raises(FaninError, match="fails when it is called"):
        fanin.propagate(net(), inputs=((8, 20), (8, 20)))


def test_a_scheme_that_reaches_nothing_is_refused():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.ones(4, 4))

        def forward(self, x):
            return x @ self.w

    with pytest.raises(FaninError, match="he_normal draws no parameter of Odd"):
        fanin.propagate(Odd(), "he_normal", inputs=(8, 4))


def test_progress_is_told():
    told = []
    fanin.measure(net, inputs=(8, 20), seeds=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 2), (1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seeds": 0}, "seeds is 0."),
        ({"seeds": ()}, "There are no seeds."),
        ({"seeds": True}, "seeds is True."),
        ({"batches": 1.5}, "batches is 1.5."),
        ({"loss": "hinge"}, "'hinge' is no loss here."),
    ],
)
def test_impossible_numbers_are_refused(options, words):
    with pytest.raises(FaninError) as caught:
        fanin.measure(net(), inputs=(8, 20), **options)
    assert words in str(caught.value)


def test_a_factory_that_fails_is_named():
    def broken():
        raise ValueError("no weights here")

    with pytest.raises(FaninError, match="broken fails: ValueError: no weights here"):
        fanin.propagate(broken, inputs=(8, 20))


def test_predicted_and_measured_agree():
    model = nn.Sequential(nn.Linear(64, 256), nn.Tanh(), nn.Linear(256, 256), nn.Tanh(), nn.Linear(256, 64))
    options = {"scheme": "lecun_normal", "inputs": (64, 64), "loss": "cross_entropy"}
    found = fanin.propagate(model, **options).compare(fanin.measure(model, seeds=8, **options))
    rows = {row.quantity: row for row in found.agreement}
    for quantity in ("forward.q", "backward.q"):
        assert rows[quantity].within == 1.0
        assert abs(np.log(rows[quantity].ratio)) < 0.05
        assert rows[quantity].worst_step < 1.1
