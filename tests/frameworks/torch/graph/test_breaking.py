"""Models that tracing cannot follow: what comes before the break, and beside it, is kept."""

import copy
import dataclasses
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import fanin
from fanin import FaninError
from fanin.frameworks.torch.graph import rehearsing, signal_graph
from frameworks.torch.graph.interpret import interpret_layers

LIBRARY = torch.library.Library("fanin_breaking", "DEF")
LIBRARY.define("shapeless(Tensor x) -> Tensor")
LIBRARY.impl("shapeless", lambda x: x * 2, "CPU")


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        return x + self.second(torch.relu(self.first(x)))


class Odd(Mlp):
    """A block that does something between its two layers."""

    def __init__(self, between):
        super().__init__()
        self.between = between

    def forward(self, x):
        return x + self.second(self.between(self.first(x)))


class Net(nn.Module):
    def __init__(self, between):
        super().__init__()
        self.stem = nn.Linear(4, 8)
        self.blocks = nn.ModuleList([Mlp(), Odd(between), Mlp()])
        self.side, self.out = nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x):
        x = y = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.out(x + self.side(y))


def branch(x):
    return x * 2 if x.sum() > 0 else x


def loop(x):
    while x.norm() > 1:
        x = x / 2
    return x


def counted(x):
    for _ in range(int(x.abs().max()) + 1):
        x = torch.tanh(x)
    return x


def checked(x):
    if torch.isnan(x).any():
        raise ValueError("not a number")
    return x


def numpy(x):
    return torch.from_numpy(np.sort(x.detach().numpy()))


def selecting(x):
    x = x.clone()
    x[x[:, 0] > 0] = x[x[:, 0] > 0].cumsum(0)
    return x


def refusing(x):
    if type(x) is not torch.Tensor:
        raise RuntimeError("a tensor, and nothing else")
    return x


def shapeless(x):
    return torch.ops.fanin_breaking.shapeless(x)


BETWEEN = {
    branch: "what it does depends on values",
    loop: "what it does depends on values",
    counted: "what it does depends on values",
    checked: "what it does depends on values",
    numpy: "it leaves PyTorch",
    refusing: "it cannot be traced",
}
BEFORE = ["stem", "blocks.0.first", "blocks.0.second", "blocks.0", "blocks.1.first", "side"]
AFTER = ["blocks.1.second", "blocks.1", "blocks.2.first", "blocks.2.second", "blocks.2", "out"]
X = torch.zeros(6, 4)


def known(graph):
    """Return the layers that depend on nothing unknown."""
    unknown = set()
    for node in graph:
        if node.op == "opaque" or any(name in unknown for name in node.inputs):
            unknown.add(node.name)
    return [path for path, name in graph.layers.items() if name not in unknown]


def line(function, offset=1):
    return f"{__file__}:{function.__code__.co_firstlineno + offset}"


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("between", BETWEEN, ids=lambda function: function.__name__)
def test_what_comes_before_and_beside_a_break_is_kept(between, device, capfd):
    with torch.device(device):
        model = Net(between)
    graph = signal_graph(model, (X.to(device),))
    assert sorted(known(graph)) == sorted(BEFORE)
    assert set(graph.layers) == {*BEFORE, *AFTER}
    for path, name in graph.layers.items():
        assert graph[name].shape == ((6, 3) if path == "out" else (6, 8))
    ends = {graph[graph.layers["blocks.1"]].name}
    (end,) = [node for node in graph if node.op == "opaque" and node.name in ends]
    assert end["operator"] == "Odd"
    assert end["reason"].startswith(f"{BETWEEN[between]} at {__file__}:")
    assert (end.source.layer, end.source.type, end.source.file) == ("blocks.1", "Odd", __file__)
    (note,) = graph.notes
    assert note.startswith(f"Net cannot be traced as a whole ({__file__}:")
    assert capfd.readouterr() == ("", "")


def test_the_line_of_the_branch_is_told():
    graph = signal_graph(Net(branch), (X,))
    assert graph[graph.layers["blocks.1"]]["reason"] == f"what it does depends on values at {line(branch)}"
    assert "Fix: torch.where, or a mask, in the place of a Python if" in graph.notes[0]


def test_what_is_kept_computes_what_the_model_computes():
    torch.manual_seed(0)
    model, x = Net(branch).eval(), torch.randn(6, 4)
    graph = signal_graph(model, (x,))
    ends = {path: graph.layers[path] for path in known(graph)}
    alive = set(ends.values())
    for node in reversed(graph.nodes):
        alive |= set(node.inputs) if node.name in alive else set()
    part = replace(graph, nodes=tuple(n for n in graph if n.name in alive), layers=ends, outputs=())
    found = interpret_layers(part, model, (x,))
    seen = {}
    for path in BEFORE:
        model.get_submodule(path).register_forward_hook(lambda m, a, y, path=path: seen.update({path: y}))
    model(x)
    for path in BEFORE:
        torch.testing.assert_close(found[path], seen[path])


def test_an_operator_that_says_nothing_of_its_shapes_breaks_on_the_meta_device_alone():
    assert len(known(signal_graph(Net(shapeless), (X,)))) == len(BEFORE)
    assert not signal_graph(Net(shapeless), (X,)).notes  # it was tried on zeros
    with torch.device("meta"):
        model = Net(shapeless)
    graph = signal_graph(model, (X,))
    assert sorted(known(graph)) == sorted(BEFORE)
    assert "an operation that says nothing of its shapes" in graph[graph.layers["blocks.1"]]["reason"]


def test_sizes_that_depend_on_values():
    model = Net(selecting)
    graph = signal_graph(model, (X,))
    assert sorted(known(graph)) == sorted(BEFORE)
    assert not graph.notes  # what comes out has the size that went in
    reasons = {node["reason"] for node in graph if node.op == "opaque"}
    assert reasons == {f"it reads a tensor whose size depends on values at {line(Odd.forward)}"}

    class Picking(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.last = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 3)

        def forward(self, x):
            x = self.first(x)
            return self.last(self.second(x[x[:, 0] > -100])).mean(0)

    graph = signal_graph(Picking(), (X,))
    assert known(graph) == ["first"]
    assert {path: graph[name].shape for path, name in graph.layers.items()} == {
        "first": (6, 8),
        "second": (6, 8),
        "last": (6, 3),
    }
    assert graph[graph.outputs[0]].shape == (3,)


class Again(nn.Module):
    """A layer that is called as often as values tell."""

    def __init__(self):
        super().__init__()
        self.stem, self.block = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        x = self.block(self.stem(x))
        for _ in range(int(x.abs().sum() * 0) + 2):
            x = self.block(x)
        return x


def test_calls_after_a_break_have_rows_of_their_own():
    graph = signal_graph(Again(), (X,))
    assert known(graph) == ["stem", "block"]
    assert list(graph.layers) == ["stem", "block", "block#2", "block#3"]


@dataclasses.dataclass
class Output:
    logits: torch.Tensor
    count: int


class Nested(nn.Module):
    def __init__(self, result):
        super().__init__()
        self.layer, self.result = nn.Linear(4, 4), result

    def forward(self, x):
        y = self.layer(x)
        return self.result(y * 2 if y.sum() > 0 else y)


@pytest.mark.parametrize(
    "result",
    [
        lambda y: {"logits": y, "count": 3},
        lambda y: (y, [y, None]),
        lambda y: y.mean(),
    ],
)
def test_what_a_model_returns_keeps_its_shapes(result):
    model = Nested(result)
    graph = signal_graph(model, (X,))
    wanted = [tuple(one.shape) for one in _tensors(model(X))]
    assert [graph[name].shape for name in graph.outputs] == wanted
    assert known(graph) == ["layer"]


def _tensors(result):
    leaves = torch.utils._pytree.tree_leaves(result)
    return [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]


def test_what_hides_its_tensors_breaks_the_module_around_it():
    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.inner = nn.Linear(4, 4), Nested(lambda y: Output(y, 3))

        def forward(self, x):
            return self.inner(self.stem(x)).logits

    with pytest.raises(FaninError, match=r"depends on values at .*test_breaking\.py:"):
        signal_graph(Around(), (X,))


def test_errors_that_a_model_catches_itself_are_its_own():
    class Fails(nn.Module):
        def forward(self, x):
            raise ValueError("as always")

    class Catches(Mlp):
        def __init__(self):
            super().__init__()
            self.fails = Fails()

        def forward(self, x):
            try:
                return self.fails(x)
            except ValueError:
                return branch(self.first(x))

    with pytest.raises(FaninError, match="What Catches does depends on values"):
        signal_graph(Catches(), (torch.zeros(2, 8),))


def test_nothing_is_changed():
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), Odd(branch), nn.Dropout(0.5)).train()
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    signal_graph(model, (X,), train=True)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert not any("forward" in vars(module) for module in model.modules())
    assert all(module.training for module in model.modules())


def test_a_forward_of_an_instance_is_put_back():
    model = Net(branch)
    own = model.stem.forward = lambda x: nn.functional.linear(x, model.stem.weight)
    signal_graph(model, (X,))
    assert model.stem.forward is own


def test_where_nothing_comes_before_the_break_the_error_stays():
    class First(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x):
            return self.layer(branch(x))

    with pytest.raises(FaninError, match="What First does depends on values"):
        signal_graph(First(), (X,))


def test_models_on_the_meta_device_that_are_too_large_to_be_made(monkeypatch):
    with torch.device("meta"):
        model = Net(branch)
    monkeypatch.setattr(rehearsing, "_LARGEST", 10)
    with pytest.raises(FaninError, match="What Net does depends on values"):
        signal_graph(model, (X,))


def test_a_profile_says_what_is_known_and_why_the_rest_is_not():
    torch.manual_seed(0)
    whole = fanin.propagate(Net(torch.relu), "he_normal", inputs=(6, 4))
    profile = fanin.propagate(Net(branch), "he_normal", inputs=(6, 4))
    assert list(profile) == list(whole)
    for name in BEFORE:
        assert profile[name].forward.q.value == pytest.approx(whole[name].forward.q.value, rel=0.02)
        assert profile[name].unknown == f"gradient: {profile['out'].unknown}"
    for name in AFTER:
        assert profile[name].forward is None
        assert profile[name].unknown == f"Odd (blocks.1): what it does depends on values at {line(branch)}"
    assert [one.gradient for one in profile.parameters if one.name.startswith("stem")] == [None, None]
    assert not any("register_rule" in note for note in profile.notes)
