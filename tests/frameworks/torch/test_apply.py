import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import fanin
from fanin.errors import FaninError
from fanin.frameworks.torch.fill import fill_tensor
from fanin.graph.parameter import Parameter
from fanin.random.philox import key_of
from fanin.schemes.distributions import Normal, Orthogonal, Uniform
from fanin.schemes.draw import draw


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(20, 8, padding_idx=1)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.rnn = nn.LSTM(8, 8)
        self.conv = nn.utils.parametrizations.weight_norm(nn.Conv1d(8, 6, 3, groups=2))
        self.norm = nn.BatchNorm1d(6)
        self.out = nn.Linear(8, 20, bias=False)
        self.out.weight = self.table.weight


POLICY = fanin.Policy({"embedding": "normal", "recurrent": "orthogonal"}, default="he_normal")


def states_equal(one, other):
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


def test_weights_are_a_function_of_seed_and_name():
    one, other = (fanin.initialize(Net(), POLICY, seed=3) for _ in range(2))
    assert states_equal(one, other)
    assert not torch.equal(one.out.weight, fanin.initialize(Net(), POLICY, seed=4).out.weight)


def test_another_layer_changes_no_other():
    small = nn.ModuleDict({"a": nn.Linear(4, 5), "c": nn.Linear(5, 6)})
    large = nn.ModuleDict({"a": nn.Linear(4, 5), "b": nn.Linear(5, 5), "c": nn.Linear(5, 6)})
    fanin.initialize(small, seed=1), fanin.initialize(large, seed=1)
    assert torch.equal(small["a"].weight, large["a"].weight)
    assert torch.equal(small["c"].weight, large["c"].weight)
    assert not torch.equal(large["a"].weight[:, :4], large["b"].weight[:, :4])


def test_the_copied_layers_of_torchs_encoder_part():
    """nn.TransformerEncoder copies one layer, so all of its layers start the same; fanin's do not."""
    model = Net()
    one, other = (layer.linear1.weight for layer in model.body.layers)
    assert torch.equal(one, other)
    fanin.initialize(model, POLICY)
    assert not torch.equal(one, other)


def test_ties_padding_norms_and_buffers_stay():
    model = Net()
    with torch.no_grad():
        model.norm.weight.fill_(3.0), model.norm.running_mean.fill_(2.0)
    fanin.initialize(model, POLICY)
    assert model.out.weight is model.table.weight
    assert (model.table.weight[1] == 0).all()
    assert (model.norm.weight == 3).all()
    assert (model.norm.running_mean == 2).all()


def test_the_weight_of_a_parametrized_layer_is_what_the_plan_says():
    model = Net()
    plan = fanin.plan(model, POLICY)
    fanin.apply(plan, model, seed=5)
    row = plan["conv.weight"]
    expected = draw(row.distribution, row.parameter, key_of(5, "conv.weight"))
    np.testing.assert_allclose(model.conv.weight.detach(), expected, rtol=1e-5)


def test_a_model_on_the_meta_device_is_made_the_same():
    with torch.device("meta"):
        meta = Net()
    made = fanin.initialize(meta, POLICY, seed=3)
    assert made is meta
    assert states_equal(made, fanin.initialize(Net(), POLICY, seed=3))
    assert made.out.weight is made.table.weight
    assert made.norm.running_var.tolist() == [1] * 6


class Bare(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)
        self.scale = nn.Parameter(torch.ones(3))
        self.register_buffer("frequencies", torch.arange(3.0))


def test_what_would_be_left_without_values_is_refused():
    with torch.device("meta"):
        model = Bare()
    with pytest.raises(FaninError, match="scale, frequencies would be left without values"):
        fanin.initialize(model)
    assert model.fc.weight.is_meta  # nothing was changed


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16, torch.float8_e4m3fn])
@pytest.mark.parametrize("scheme", [Normal(0.0, 0.5), Orthogonal()])
def test_any_floating_dtype_is_the_rounded_float32(dtype, scheme):
    parameter = Parameter("w", (6, 5), "kernel", ("out", "in"))
    tensor = torch.empty(6, 5, dtype=dtype)
    fill_tensor(tensor, scheme, parameter, 7)
    expected = torch.from_numpy(draw(scheme, parameter, 7)).to(dtype)
    assert torch.equal(tensor.float(), expected.float())


def test_a_tensor_that_is_not_contiguous():
    parameter = Parameter("w", (6, 5, 4))
    tensor = torch.empty(4, 5, 6).permute(2, 1, 0)
    fill_tensor(tensor, Uniform(0.0, 1.0), parameter, 7)
    np.testing.assert_array_equal(tensor.numpy(), draw(Uniform(0.0, 1.0), parameter, 7))


def test_scalars_and_empty_tensors():
    for shape in ((), (0,), (0, 3), (3, 0)):
        tensor = torch.full(shape, -1.0, dtype=torch.float64)
        fill_tensor(tensor, Uniform(0.0, 1.0), Parameter("w", shape), 7)
        assert (tensor >= 0).all()


def test_a_compiled_model_and_gradients():
    model = nn.Linear(3, 4)
    compiled = torch.compile(model)
    assert fanin.initialize(compiled, "ones") is compiled
    assert (model.weight == 1).all()
    assert model.weight.requires_grad
    assert model.weight.grad_fn is None


def test_a_plan_for_another_model_changes_nothing():
    plan = fanin.plan(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5)), "zeros")
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 6))
    before = copy.deepcopy(model)
    with pytest.raises(FaninError, match=r"1.weight is \(6, 4\) in the model and \(5, 4\) in the plan"):
        fanin.apply(plan, model)
    with pytest.raises(FaninError, match=r"The model has no parameter '1.weight'"):
        fanin.apply(plan, model[:1])
    assert states_equal(model, before)


def test_bad_calls_get_one_message():
    model = nn.Linear(3, 4)
    with pytest.raises(FaninError, match="A value of type int is no plan"):
        fanin.apply(3, model)
    with pytest.raises(FaninError, match="seed is 'x'"):
        fanin.initialize(model, "zeros", seed="x")
    with pytest.raises(FaninError, match="Linear is a type, not a model"):
        fanin.plan(nn.Linear, "zeros")


SHARDED = """
import os, sys, torch, torch.distributed as dist, torch.multiprocessing as mp
from torch import nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor, init_device_mesh
import fanin

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(7, 6), nn.Linear(6, 5, bias=False)
        self.c = nn.Embedding(9, 4, padding_idx=8)

POLICY = fanin.Policy({"b.weight": "orthogonal", "embedding": "normal"}, default="he_uniform")
PLACED = {"a.weight": [Shard(0)], "a.bias": [Shard(0)], "b.weight": [Shard(1)], "c.weight": [Shard(0)]}

def work(rank, port):
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    whole = fanin.initialize(Net(), POLICY, seed=11)
    model = Net()
    for path, placement in PLACED.items():
        layer, name = model.get_submodule(path.split(".")[0]), path.split(".")[1]
        setattr(layer, name, nn.Parameter(distribute_tensor(getattr(layer, name).data, mesh, placement)))
    fanin.initialize(model, POLICY, seed=11)
    for name, parameter in model.named_parameters():
        assert isinstance(parameter.data, DTensor)
        assert torch.equal(parameter.data.full_tensor(), dict(whole.named_parameters())[name].data), name
        assert parameter.data.to_local().numel() < parameter.numel()
    # FSDP2, whose module is on the meta device until every process makes its own shards.
    with torch.device("meta"):
        sharded = Net()
    fully_shard(sharded.a, mesh=mesh)
    fully_shard(sharded, mesh=mesh)
    fanin.initialize(sharded, POLICY, seed=11)
    for name, parameter in sharded.named_parameters():
        assert isinstance(parameter.data, DTensor)
        assert torch.equal(parameter.data.full_tensor(), dict(whole.named_parameters())[name].data), name
    sharded.a(torch.ones(2, 7)).sum().backward()
    dist.barrier()
    dist.destroy_process_group()
    os._exit(0)  # threads that gloo leaves behind now and then abort an interpreter that ends

if __name__ == "__main__":
    mp.spawn(work, args=(int(sys.argv[1]),), nprocs=2)
    print("equal")
"""


def test_shards_are_slices_of_the_whole(tmp_path):
    """Two processes over gloo: each one's shard equals the slice of the tensor that one process makes."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = tmp_path / "sharded.py"
    script.write_text(SHARDED)
    done = subprocess.run([sys.executable, script, str(port)], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "equal", done.stderr[-2000:]


class RMSNorm(nn.Module):
    """A norm without reset_parameters, as Hugging Face's models have them."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))


class Pretrained(nn.Module):
    """A model that gives its layers values by a hook of its own, but forgets one."""

    def __init__(self, forgets=False):
        super().__init__()
        self.fc, self.norm, self.forgets = nn.Linear(3, 4), RMSNorm(), forgets
        self.register_buffer("inv_freq", torch.arange(3.0), persistent=False)

    def _init_weights(self, module):
        if isinstance(module, RMSNorm):
            nn.init.ones_(module.weight)
        elif module is self and not self.forgets:
            self.inv_freq.copy_(torch.arange(3.0))


def test_a_models_own_hook_gives_values_to_what_no_plan_draws():
    with torch.device("meta"):
        model = nn.Sequential(Pretrained())
    fanin.initialize(model, "he_normal")
    assert model[0].norm.weight.tolist() == [1, 1, 1, 1]
    assert model[0].inv_freq.tolist() == [0, 1, 2]


def test_a_hook_that_forgets_a_tensor_leaves_the_model_as_it_was():
    with torch.device("meta"):
        model = Pretrained(forgets=True)
    with pytest.raises(FaninError, match="inv_freq would be left without values"):
        fanin.initialize(model, "he_normal")
    assert all(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))
