"""A module's vitals, against PyTorch's own numbers; and the module as it was before."""

import copy
import dataclasses
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as f

import fanin
from counting import Counting
from fanin.errors import FaninError
from fanin.frameworks.torch.checking.batch import Batch
from fanin.frameworks.torch.checking.vitals import vitals


def _batch(model, examples=32, inputs=20, classes=4):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(examples, inputs, generator=generator)
    return Batch.of(x, torch.randint(0, classes, (examples,), generator=generator), like=model)


def _network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(20, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(32, 16),
        nn.Tanh(),
        nn.Linear(16, 4),
    )


def test_scales_are_those_of_the_network():
    model = nn.Sequential(nn.Linear(20, 32), nn.Tanh(), nn.Linear(32, 4))
    batch = _batch(model)
    found = vitals(model, batch, nn.CrossEntropyLoss())
    x = batch.args[0]
    first = model[0](x)
    middle = model[1](first)
    last = model[2](middle)
    loss = f.cross_entropy(last, batch.target)
    truth = torch.autograd.grad(loss, [first, middle, last, model[0].weight])
    assert [layer.name for layer in found.layers] == ["0", "1", "2"]
    for layer, value, gradient in zip(found.layers, (first, middle, last), truth, strict=False):
        assert layer.output.scale == pytest.approx(value.square().mean().sqrt().item(), rel=1e-5)
        assert layer.gradient.scale == pytest.approx(gradient.square().mean().sqrt().item(), rel=1e-5)
    assert found.output.loss == pytest.approx(loss.item())
    assert found.parameters[0].gradient == pytest.approx(truth[3].square().mean().sqrt().item(), rel=1e-5)
    assert (found.output.kind, found.target.classes) == ("cross_entropy", 4)


class Functions(nn.Module):
    """Everything by functions, nothing by modules."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Parameter(torch.randn(32, 20) / 5), nn.Parameter(torch.randn(32, 4) / 6)

    def forward(self, x):
        h = f.layer_norm(f.linear(x, self.one), (32,))
        return f.dropout(torch.sigmoid(h), 0.5, self.training) @ self.two


def test_functions_are_seen_as_modules_are():
    model = Functions()
    found = vitals(model, _batch(model), nn.CrossEntropyLoss())
    assert [layer.kind for layer in found.layers] == ["weights", "norm", "activation", "weights"]
    assert found.layers[2].function == "sigmoid"
    assert found.layers[2].saturated is not None


def test_attention_is_seen():
    class Attention(nn.Module):
        def __init__(self, causal):
            super().__init__()
            self.qkv, self.causal = nn.Linear(16, 48), causal

        def forward(self, x):
            q, k, v = self.qkv(x).chunk(3, -1)
            return f.scaled_dot_product_attention(20 * q, k, v, is_causal=self.causal)

    x = torch.randn(4, 8, 16, generator=torch.Generator().manual_seed(0))
    for causal in (False, True):
        torch.manual_seed(0)
        model = Attention(causal)
        found = vitals(model, Batch.of(x, like=model))
        q, k, _ = (one[:2] for one in model.qkv(x).chunk(3, -1))
        logits = 20 * q @ k.transpose(1, 2) / 4
        if causal:
            logits = logits.masked_fill(torch.ones(8, 8, dtype=torch.bool).triu(1), -torch.inf)
        weights = torch.softmax(logits, -1)
        keys = torch.arange(1, 9).float() if causal else torch.full((8,), 8.0)
        entropy = (-torch.special.xlogy(weights, weights).sum(-1) / keys.log())[
            :, 1 if causal else 0 :
        ].mean()
        seen = [layer.entropy for layer in found.layers if layer.kind == "attention"]
        assert seen == [pytest.approx(entropy.item(), rel=0.05)]


def test_what_multihead_attention_is_made_of():
    model = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    x = torch.randn(4, 8, 16)
    found = vitals(model, Batch.of(x, like=model))
    kinds = [layer.kind for layer in found.layers if layer.name.startswith("self_attn")]
    assert kinds == ["weights", "attention", "weights"]
    assert torch.nn.functional.has_torch_function.__module__ != __name__
    assert torch.nn.functional.has_torch_function(()) is False


def test_hidden_states_that_are_saturated():
    class Reads(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.head = nn.RNN(8, 16, batch_first=True), nn.Linear(16, 4)

        def forward(self, x):
            return self.head(self.rnn(x)[0][:, -1])

    model, x = Reads(), torch.randn(16, 10, 8)
    nn.init.normal_(model.rnn.weight_hh_l0, 0, 5.0)
    seen = next(one for one in vitals(model, Batch.of(x, like=model)).layers if one.type == "RNN")
    assert seen.saturated == pytest.approx((model.rnn(x)[0].abs() > 0.97).float().mean().item())


@pytest.mark.parametrize("train", [True, False])
def test_everything_is_as_before(train):
    model = _network().train(train)
    model[4].weight.requires_grad_(False)
    model[6].weight.data.zero_()  # makes steps necessary
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    model[0].register_forward_hook(lambda *_: None)
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    numpy, python = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    hooks = {name: dict(m._forward_hooks) for name, m in model.named_modules()}
    found = vitals(model, _batch(model), nn.CrossEntropyLoss())
    assert any(len(one.zero) > 1 for one in found.parameters)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy)  # noqa: NPY002
    assert random.getstate() == python
    assert all(torch.equal(p.grad, torch.ones_like(p)) for p in model.parameters())
    assert {name: dict(m._forward_hooks) for name, m in model.named_modules()} == hooks
    assert not any(m._forward_pre_hooks for m in model.modules())
    assert all(m.training is train for m in model.modules())
    assert [p.requires_grad for p in model.parameters()].count(False) == 1


def test_buffers_that_are_assigned_anew():
    class Counts(nn.Linear):
        def __init__(self):
            super().__init__(20, 4)
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, x):
            self.seen = self.seen + 1
            return super().forward(x)

    model = Counts()
    before = model.seen
    vitals(model, _batch(model), nn.CrossEntropyLoss())
    assert model.seen is before
    assert model.seen == 0


def test_everything_is_as_before_when_the_model_fails():
    class Fails(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = _network()

        def forward(self, x):
            self.body(x)
            raise ValueError("no")

    model = Fails().eval()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(FaninError, match="Fails fails"):
        vitals(model, _batch(model), nn.CrossEntropyLoss())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert not any(m.training for m in model.modules())


def test_zeros_that_unlock_and_zeros_that_are_stuck():
    model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 4))
    nn.init.zeros_(model[2].weight)
    found = {one.name: one for one in vitals(model, _batch(model), nn.CrossEntropyLoss()).parameters}
    assert found["0.weight"].zero[0] == 1.0
    assert found["0.weight"].zero[1] < 1.0
    assert not found["0.weight"].stuck
    nn.init.zeros_(model[0].weight)
    nn.init.constant_(model[0].bias, -1.0)
    found = {one.name: one for one in vitals(model, _batch(model), nn.CrossEntropyLoss()).parameters}
    assert found["0.weight"].stuck
    assert found["0.weight"].zero == (1.0,) * 4
    assert not found["2.bias"].stuck


# Inputs, outputs and losses as people have them


@dataclasses.dataclass
class Result:
    logits: torch.Tensor
    loss: torch.Tensor | None = None


@pytest.mark.parametrize("kind", ["tensor", "tuple", "dict", "dataclass"])
def test_outputs(kind):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(20, 4)

        def forward(self, x):
            y = self.layer(x)
            return {"tensor": y, "tuple": (y, None), "dict": {"out": y}, "dataclass": Result(y)}[kind]

    model = Model()
    found = vitals(model, _batch(model), "cross_entropy")
    assert found.output.shape == (32, 4)
    assert found.output.kind == "cross_entropy"


def test_a_loss_of_the_model():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(20, 4)

        def forward(self, x, labels):
            y = self.layer(x)
            return Result(y, f.cross_entropy(y, labels))

    model = Model()
    batch = Batch.of({"x": torch.randn(8, 20), "labels": torch.arange(8) % 4}, like=model)
    found = vitals(model, batch)
    assert found.output.kind == "cross_entropy"
    assert found.target.classes == 4


def test_arrays():
    model = nn.Linear(20, 1)
    batch = Batch.of(np.random.default_rng(0).normal(size=(8, 20)), np.zeros((8, 1)), like=model)
    assert vitals(model, batch, nn.MSELoss()).output.kind == "mse"


@pytest.mark.parametrize(
    ("loss", "kind", "logits"),
    [
        (nn.CrossEntropyLoss(), "cross_entropy", True),
        (lambda y, t: f.nll_loss(f.log_softmax(y, 1), t), "cross_entropy", True),
        (
            lambda y, t: f.binary_cross_entropy_with_logits(y[:, 0], (t > 0).float()),
            "binary_cross_entropy",
            True,
        ),
        (lambda y, t: ((y - f.one_hot(t, 4)) ** 2).mean(), "other", True),
        (lambda y: y.square().sum(), "other", True),
        ("mse", "mse", True),
    ],
    ids=["module", "nll", "bce", "other", "one", "name"],
)
def test_losses(loss, kind, logits):
    model = nn.Linear(20, 4)
    batch = _batch(model)
    if loss == "mse":
        batch = dataclasses.replace(batch, target=None)
    if kind == "other" and loss.__code__.co_argcount == 1:
        batch = dataclasses.replace(batch, target=None)
    output = vitals(model, batch, loss).output
    assert (output.kind, output.logits) == (kind, logits)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda y, t: y.detach().sum(), "does not depend"),
        (lambda y, t: float(y.sum()), "returns float"),
        (lambda y, t: y.argmax(1).float().mean(), "does not depend"),
        (lambda y, t: 1 / 0, "fails"),
        ("hinge", "no loss 'hinge'"),
    ],
    ids=["detached", "float", "argmax", "raises", "unknown"],
)
def test_losses_that_are_none(loss, message):
    model = nn.Linear(20, 4)
    with pytest.raises(FaninError, match=message):
        vitals(model, _batch(model), loss)


def test_a_vector_of_losses_is_averaged():
    model = nn.Linear(20, 4)
    found = vitals(model, _batch(model), nn.CrossEntropyLoss(reduction="none"))
    assert found.output.loss == pytest.approx(vitals(model, _batch(model), nn.CrossEntropyLoss()).output.loss)


def test_one_example():
    found = vitals(_network(), _batch(_network(), examples=1), nn.CrossEntropyLoss())
    assert found.examples == 1
    assert found.layers[0].similarity is None


def test_meta():
    with torch.device("meta"):
        model = nn.Linear(20, 4)
    found = vitals(model, Batch.of(torch.randn(2, 20), like=model))
    assert [one.meta for one in found.parameters] == [True, True]
    assert found.notes


def test_memory(monkeypatch):
    """A batch that does not fit is cut."""

    class Hungry(nn.Linear):
        def forward(self, x):
            if len(x) > 8:
                raise torch.OutOfMemoryError("out of memory")
            return super().forward(x)

    model = Hungry(20, 4)
    found = vitals(model, _batch(model, examples=32), nn.CrossEntropyLoss())
    assert found.examples == 8
    assert found.notes[-1] == "out of memory: the batch was cut to 8"


def test_a_model_without_parameters():
    with pytest.raises(FaninError, match="do not depend"):
        vitals(nn.ReLU(), Batch((torch.randn(2, 20),)))


def test_equal_tensors():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 4))
    model[2].weight.data.copy_(model[0].weight.data)
    found = {
        one.name: one.digest
        for one in vitals(model, _batch(model, inputs=8), nn.CrossEntropyLoss()).parameters
    }
    assert found["2.weight"] == found["0.weight"] != ""
    assert not found["1.weight"]


def test_what_a_module_counts_and_keeps_is_put_back():
    model = Counting()
    fanin.diagnose(model, torch.randn(8, 20), torch.arange(8) % 4, loss="cross_entropy")
    model.check_untouched()
