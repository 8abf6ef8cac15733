"""Measured signals of PyTorch modules are those of hooks written by hand, and the module is as it was."""

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn

import fanin
from counting import Counting
from fanin import FaninError, Inputs


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(16)
        self.act = nn.ReLU(inplace=True)
        self.lin = nn.Linear(16, 16)

    def forward(self, x):
        return x + self.act(self.lin(self.act(self.norm(x))))


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), Block(), nn.Dropout(0.2), nn.Linear(16, 5))


def by_hand(model, x, output_gradient):
    """Return {layer: (outputs, gradient)} of leaf modules that are called once."""
    seen, handles = {}, []
    for path, module in model.named_modules():
        if isinstance(module, nn.Linear | nn.BatchNorm1d):

            def keep(module, args, output, path=path):
                seen[path] = output
                output.retain_grad()

            handles.append(module.register_forward_hook(keep))
    model(x).backward(output_gradient)
    for handle in handles:
        handle.remove()
    return {path: (output.detach(), output.grad) for path, output in seen.items()}


def square(tensor):
    return float((tensor.double() ** 2).mean())


def test_moments_are_those_of_hooks_written_by_hand():
    model = net()
    data = np.random.default_rng(5).normal(size=(12, 8)).astype("float32")
    profile = fanin.measure(model, inputs=data)
    # The cotangent is what is drawn first from the seed's stream.
    cotangent = torch.from_numpy(np.random.default_rng((0, 0)).standard_normal((12, 5))).float()
    twin = copy.deepcopy(model).eval()
    twin[1].act.inplace = False  # what is changed in place was something else before
    for path, (output, gradient) in by_hand(twin, torch.from_numpy(data), cotangent).items():
        found = profile[path]
        assert found.forward.q.value == pytest.approx(square(output), rel=1e-5)
        assert found.forward.mean.value == pytest.approx(float(output.mean()), abs=1e-6)
        assert found.backward.q.value == pytest.approx(square(gradient), rel=1e-5)
        pairs = [float((output[i] * output[j]).mean()) for i in range(12) for j in range(12) if i != j]
        assert found.forward.c.value == pytest.approx(np.mean(pairs) / square(output), abs=1e-5)
    gradients = {name: square(p.grad) for name, p in twin.named_parameters()}
    assert {p.name: pytest.approx(p.gradient.value, rel=1e-4) for p in profile.parameters} == gradients


def test_layers_are_named_and_ordered_as_predicted():
    inputs = Inputs((16, 8))
    predicted, measured = fanin.propagate(net, inputs=inputs), fanin.measure(net, inputs=inputs)
    both = set(predicted) & set(measured)
    assert [name for name in measured if name in both] == [name for name in predicted if name in both]
    assert {"1.act", "1.act#2", "1", "3"} <= both
    assert measured["1"].type == predicted["1"].type == "Block"


def state(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def numpy_state():
    return np.random.get_state()[1].copy()  # noqa: NPY002


@pytest.mark.parametrize("options", [{}, {"scheme": "he_normal", "seeds": 2}, {"batches": 2, "loss": "mse"}])
def test_nothing_is_changed(options):
    model = net()
    model[1].eval()
    model[1].lin.weight.requires_grad_(False)
    model[3].weight.grad = torch.ones_like(model[3].weight)
    before, modes = state(model), [module.training for module in model.modules()]
    streams = torch.get_rng_state(), numpy_state(), random.getstate()
    profile = fanin.measure(model, inputs=(4, 8), train=True, **options)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert not model[1].lin.weight.requires_grad
    assert torch.equal(model[3].weight.grad, torch.ones_like(model[3].weight))
    assert model[0].weight.grad is None
    assert torch.equal(torch.get_rng_state(), streams[0])
    assert np.array_equal(numpy_state(), streams[1])
    assert random.getstate() == streams[2]
    assert not any(module._forward_hooks for module in model.modules())
    assert "1.lin.weight" not in {p.name for p in profile.parameters}
    assert profile["0"].backward is not None


def test_what_a_module_counts_is_put_back():
    model = Counting()
    fanin.measure(model, inputs=(4, 20), batches=2)
    model.check_untouched()


def test_a_model_that_fails_is_left_as_it_was():
    model = net()
    before = state(model)
    with pytest.raises(FaninError, match="fails when it is called"):
        fanin.measure(model, inputs=(4, 9), scheme="zeros")
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_seeds_start_anew_and_are_the_same_each_time():
    model = net()
    one, other = (fanin.measure(model, inputs=(8, 8), scheme="he_normal", seeds=3) for _ in range(2))
    assert one.to_dict() == other.to_dict()
    assert one["3"].forward.q.chance > 0
    assert one["3"].forward.q.error == pytest.approx(one["3"].forward.q.chance / np.sqrt(3))
    single = [
        fanin.measure(model, inputs=(8, 8), scheme="he_normal", seeds=[seed])["3"].forward.q.value
        for seed in range(3)
    ]
    assert np.mean(single) == pytest.approx(one["3"].forward.q.value)


def test_a_function_makes_a_network_for_each_seed():
    def make():
        return nn.Linear(8, 64)

    profile = fanin.measure(make, inputs=(64, 8), seeds=4)
    assert profile.notes == ("4 networks, 1 batch each",)
    with pytest.raises(FaninError, match="Nothing says how to initialize Linear again"):
        fanin.measure(make(), inputs=(64, 8), seeds=4)


def test_the_meta_device_becomes_real_with_a_scheme_alone():
    model = nn.Sequential(nn.Linear(8, 4, device="meta"))
    profile = fanin.measure(model, inputs=(64, 8), scheme="he_normal", seeds=2)
    assert profile["0"].forward.q.value == pytest.approx(2, rel=0.4)
    assert model[0].weight.is_meta
    with pytest.raises(FaninError, match="is on the meta device"):
        fanin.measure(model, inputs=(64, 8))


def test_tuples_frozen_tables_and_time_before_batch():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(20, 6).requires_grad_(False)
            self.lstm = nn.LSTM(6, 7)
            self.out = nn.Linear(7, 3)

        def forward(self, ids):
            return {"logits": self.out(self.lstm(self.table(ids).swapaxes(0, 1))[0])}

    profile = fanin.measure(Recurrent(), inputs="5x9:tokens(20)", loss="cross_entropy")
    assert profile["lstm"].shape == (9, 5, 7)
    assert profile["lstm"].forward.c is not None
    assert profile["table"].backward.q.value > 0
    assert {p.name for p in profile.parameters} == {
        *(f"lstm.{kind}_{side}_l0" for kind in ("weight", "bias") for side in ("ih", "hh")),
        "out.weight",
        "out.bias",
    }


def test_a_layer_by_itself_goes_by_its_type():
    for layer in (nn.Linear(8, 4), nn.ReLU()):
        predicted, measured = fanin.propagate(layer, inputs=(64, 8)), fanin.measure(layer, inputs=(64, 8))
        assert list(predicted) == list(measured) == [type(layer).__name__]
        assert predicted.compare(measured).agreement[0].within == 1.0


class Nothing(nn.Module):
    def forward(self, x):
        return None


@pytest.mark.parametrize("verb", [fanin.propagate, fanin.measure])
@pytest.mark.parametrize(
    ("model", "words"),
    [
        (nn.Sequential(nn.LazyLinear(4)), "0.weight has no shape yet: its layer is lazy."),
        (Nothing(), "Nothing returns no tensor."),
        (nn.Linear, "Linear is a type, not a model."),
        (nn.Bilinear(8, 8, 4), "Bilinear fails when it is called: TypeError"),
    ],
)
def test_models_that_cannot_be_run_are_refused(verb, model, words):
    with pytest.raises(FaninError) as caught:
        verb(model, inputs=(4, 8))
    assert words in str(caught.value)


def test_inputs_by_name_and_of_another_type():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 3, dtype=torch.float64)

        def forward(self, x, *, scale):
            return self.a(x) * scale

    inputs = {"x": (6, 4), "scale": np.full((6, 1), 2.0)}
    measured, predicted = (verb(Two(), inputs=inputs) for verb in (fanin.measure, fanin.propagate))
    assert measured["a"].shape == predicted["a"].shape == (6, 3)
    assert predicted.inputs == "x: 6 × 4, N(0, 1); scale: 6 × 1, data of mean and variance 2, 0"


def test_models_of_a_file_that_are_made_on_meta_are_watched(tmp_path):
    """What a constructor draws by itself is seen as it is made, and not afterwards."""
    file = tmp_path / "model.py"
    file.write_text(
        "import torch\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.gate = torch.nn.Parameter(1 + 0.5 * torch.randn(16))\n"
        "    def forward(self, x):\n"
        "        return self.gate * x\n"
        "def make():\n"
        "    with torch.device('meta'):\n"
        "        return Net()\n"
    )
    profile = fanin.propagate(f"{file}:make", inputs=(8, 16))
    (layer,) = profile.values()
    assert layer.forward.q.value == pytest.approx(1.25, rel=0.02)
