import pytest
import torch
from torch import nn

from fanin.errors import FaninError
from fanin.frameworks.torch.inventory import inventory


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(10, 4)
        self.fc = nn.Linear(4, 4)
        self.again = self.fc
        self.out = nn.Linear(4, 10, bias=False)
        self.out.weight = self.table.weight
        self.scale = nn.Parameter(torch.ones(1))
        self.norm = nn.BatchNorm1d(4)


def test_everything_is_listed_once_and_ties_are_said():
    found = inventory(Shared())
    assert [p.name for p in found.parameters] == [
        "scale",
        "table.weight",
        "fc.weight",
        "fc.bias",
        "norm.weight",
        "norm.bias",
    ]
    assert {kept.name: kept.reason for kept in found.kept} == {
        "again.weight": "tied to fc.weight",
        "again.bias": "tied to fc.bias",
        "out.weight": "tied to table.weight",
        "norm.running_mean": "buffer",
        "norm.running_var": "buffer",
        "norm.num_batches_tracked": "buffer",
    }
    assert found.source == "Shared (torch)"


def test_unknown_layers_are_unknown():
    (scale, *_) = inventory(Shared()).parameters
    assert (scale.kind, scale.layer) == ("unknown", "Shared")


def test_frozen_and_integer_parameters_stay():
    model = nn.Linear(3, 4)
    model.bias.requires_grad_(False)
    model.places = nn.Parameter(torch.arange(3), requires_grad=False)
    kept = {kept.name: kept.reason for kept in inventory(model).kept}
    assert kept == {
        "bias": "frozen: requires_grad is False",
        "places": "torch.int64, no weight",
    }


def test_lazy_layers_say_how_to_make_them():
    with pytest.raises(FaninError, match=r"weight has no shape yet") as error:
        inventory(nn.Sequential(nn.LazyLinear(3)))
    assert "run the model once" in str(error.value)


@pytest.mark.parametrize(
    "norm", [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm]
)
def test_parametrized_weights_go_by_their_own_name(norm):
    names = [p.name for p in inventory(nn.Sequential(norm(nn.Linear(3, 4)))).parameters]
    assert names == ["0.bias", "0.weight"]


def test_parametrized_layers_are_tied_only_where_they_are_one():
    norm = nn.utils.parametrizations.weight_norm
    shared = norm(nn.Linear(3, 3))
    found = inventory(nn.Sequential(*(norm(nn.Linear(3, 3)) for _ in range(20)), shared, nn.ReLU(), shared))
    assert len([p for p in found.parameters if p.kind == "kernel"]) == 21
    assert {k.name: k.reason for k in found.kept if "weight" in k.name} == {"22.weight": "tied to 20.weight"}


def test_compiled_models_are_read_through():
    names = [p.name for p in inventory(torch.compile(nn.Linear(3, 4))).parameters]
    assert names == ["weight", "bias"]


def test_inputs_come_from_the_traced_graph():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.LeakyReLU(0.2),
        nn.Conv2d(4, 4, 3),
        nn.MaxPool2d(2),
        nn.GELU("tanh"),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(16, 3),
        nn.Linear(3, 3),
    )
    found = {p.name: p.inputs for p in inventory(model).parameters if p.kind == "kernel"}
    assert found == {
        "0.weight": "data",
        "3.weight": "leaky_relu(0.2)",
        "8.weight": "gelu_tanh",
        "9.weight": "Linear",
    }


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return x + self.b(torch.relu(self.a(torch.nn.functional.layer_norm(x, (4,)))))


def test_functions_count_as_layers_do():
    found = {p.name: p.inputs for p in inventory(Branches()).parameters if p.kind == "kernel"}
    assert found == {"a.weight": "", "b.weight": "relu"}


class Untraceable(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(x) if x.sum() > 0 else x


def test_what_cannot_be_traced_is_not_guessed():
    assert {p.inputs for p in inventory(Untraceable()).parameters} == {""}


def roles(model):
    return {p.name: (p.roles, p.block, p.blocks) for p in inventory(model).parameters if p.roles}


def test_blocks_and_roles_of_a_transformer():
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    model = nn.Sequential(nn.Embedding(9, 16), nn.TransformerEncoder(layer, 3, enable_nested_tensor=False))
    model.append(nn.Linear(16, 9))
    found = roles(model)
    assert found["1.layers.2.self_attn.out_proj.weight"] == (("attention_out", "residual_out"), 2, 3)
    assert found["1.layers.0.linear2.weight"] == (("residual_out",), 0, 3)
    assert found["1.layers.1.self_attn.in_proj_weight"] == (("query", "key", "value"), 1, 3)
    assert found["2.weight"] == (("head",), None, 0)
    assert "1.layers.0.linear1.weight" not in found


class Bottleneck(nn.Module):
    def __init__(self, downsample):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3, padding=1)
        self.downsample = nn.Sequential(nn.Conv2d(4, 4, 1)) if downsample else None


def test_blocks_and_roles_of_a_resnet():
    model = nn.Sequential(nn.Sequential(Bottleneck(True), Bottleneck(False)), nn.Sequential(Bottleneck(True)))
    found = roles(model)
    assert set(found) == {"0.0.conv2.weight", "0.1.conv2.weight", "1.0.conv2.weight"}
    assert found["1.0.conv2.weight"] == (("residual_out",), 2, 3)
