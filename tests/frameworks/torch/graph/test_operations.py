"""Each operation's nodes compute what PyTorch computes."""

import pytest
import torch
from torch import nn
from torch.nn import functional as f

from fanin.frameworks.torch.graph import signal_graph
from frameworks.torch.graph.interpret import interpret


class Called(nn.Module):
    """A function of its inputs, and of two parameters."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.weight, self.vector = nn.Parameter(torch.randn(6, 4)), nn.Parameter(torch.rand(4) + 0.1)

    def forward(self, *inputs):
        return self.function(self, *inputs)


def _x(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))


ELEMENTWISE = {
    name: getattr(torch, name)
    for name in (
        "abs", "atan", "ceil", "cos", "erf", "exp", "expm1", "floor", "log1p", "neg", "reciprocal", "relu",
        "round", "sigmoid", "sign", "sin", "square", "tanh",
    )
} | {
    name: getattr(f, name)
    for name in (
        "celu", "elu", "gelu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu",
        "logsigmoid", "mish", "relu6", "rrelu", "selu", "silu", "softplus", "softshrink", "softsign",
        "tanhshrink",
    )
} | {
    "add": lambda x: torch.add(x, x.cos(), alpha=3),
    "addcmul": lambda x: torch.addcmul(x, x.cos(), x.sin(), value=2),
    "clamp": lambda x: x.clamp(-0.5, 0.4) + x.clamp(min=-0.3) + x.clamp_max(0.2),
    "comparisons": lambda x: (x > 0.1).float() + (x <= 0.3) * 2.0 + (x == x),
    "divide": lambda x: 3 / (x + 5) + x / 7,
    "floor divide": lambda x: torch.div(x, 0.3, rounding_mode="floor") + x // 0.2,
    "gelu tanh": lambda x: f.gelu(x, approximate="tanh"),
    "glu": lambda x: f.glu(x, 1),
    "lerp": lambda x: torch.lerp(x, x.cos(), 0.3),
    "log": lambda x: torch.log(x.abs() + 1) + torch.log2(x.abs() + 1) + torch.log10(x.abs() + 1),
    "logic": lambda x: torch.where((x > 0) & ~(x > 1) | (x < -1), x, -x),
    "masked fill": lambda x: x.masked_fill(x > 0.5, 9.0),
    "maximum": lambda x: torch.maximum(x, x.cos()) + torch.minimum(x, x.sin()) + torch.max(x, -x),
    "powers": lambda x: x**2 + x**3 + x.abs() ** 0.5 + (x.abs() + 1) ** -1.5 + 2**x + (x * x + 1) ** -0.5,
    "prelu": lambda x: f.prelu(x, torch.tensor([0.1, 0.2, 0.3, 0.4])),
    "reversed": lambda x: 1 - x + torch.rsub(x, 2, alpha=3),
    "rsqrt": lambda x: torch.rsqrt(x.abs() + 1) + torch.sqrt(x.abs()),
    "threshold": lambda x: f.threshold(x, 0.3, -2.0),
    "where": lambda x: torch.where(x > 0, x, 0.0),
}  # fmt: skip


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_functions_of_elements(name):
    _check(lambda self, x: ELEMENTWISE[name](x), _x(3, 4, 5))


SHAPES = {
    "broadcast": lambda x: x[:, :1].expand(3, 4, 5) + torch.broadcast_to(x[0, 0], (2, 5))[1],
    "cat": lambda x: torch.cat([x, x.cos()], -1),
    "channel shuffle": lambda x: f.channel_shuffle(x.reshape(3, 4, 5, 1), 2),
    "chunk": lambda x: x.chunk(3, 1)[1] * x.split([1, 2, 1], 1)[1] + torch.tensor_split(x, 2, 1)[0],
    "flatten": lambda x: x.flatten(1).unflatten(1, (2, 10)),
    "index": lambda x: x[:, torch.tensor([3, 0, 1])] + x.index_select(1, torch.tensor([0, 1, 2])),
    "interpolate": lambda x: f.interpolate(x.reshape(3, 2, 2, 5), scale_factor=2),
    "movedim": lambda x: x.movedim(0, -1).movedim((0, 1), (1, 0)),
    "narrow": lambda x: x.narrow(1, 1, 2) + x[:, -2:] + x[:, ::2] + x[..., :2, :],
    "pad": lambda x: f.pad(x, (1, 2, 0, 1)) + f.pad(x, (3, 0, 1, 0), value=2.0),
    "pad that cuts": lambda x: f.pad(x, (-1, 2)),
    "circular pad": lambda x: f.pad(x, (2, 1), mode="circular"),
    "reflect pad": lambda x: f.pad(x, (4, 1), mode="reflect") + f.pad(x, (0, 5), mode="replicate"),
    "replicate pad": lambda x: f.pad(x.reshape(3, 2, 2, 5), (2, 1, 0, 3), mode="replicate"),
    "index of a table": lambda x: x[:, torch.tensor([[0, 3], [1, 1]])].sum(2),
    "many places": lambda x: x.reshape(1, 60)[:, torch.arange(60) * 7 % 60],
    "unfold": lambda x: f.unfold(x.reshape(3, 2, 2, 5), (2, 3), padding=(1, 0), stride=(1, 2)),
    "permute": lambda x: x.permute(2, 0, 1).transpose(0, 1).mT.swapaxes(0, 2),
    "pixel shuffle": lambda x: f.pixel_shuffle(x.reshape(3, 4, 5, 1), 2),
    "pixel unshuffle": lambda x: f.pixel_unshuffle(x[:, :, :4].reshape(3, 1, 4, 4), 2),
    "repeat": lambda x: x.repeat(2, 1, 3) + torch.tile(x, (2, 1, 3)),
    "repeat interleave": lambda x: x.repeat_interleave(2, dim=1),
    "roll": lambda x: torch.roll(x, (1, -2), (1, 2)),
    "select": lambda x: x[:, 1] + x[:, -1] + x.select(1, 0),
    "squeeze": lambda x: x[:, :1].squeeze(1).unsqueeze(0) + x[:, None, 0].squeeze(),
    "stack": lambda x: torch.stack([x, -x], 1) + torch.stack(x.unbind(2), 2).unsqueeze(1),
    "hstack": lambda x: torch.hstack([x, x]).sum() + torch.vstack([x, x]),
    "zeros like": lambda x: torch.cat([x, torch.zeros_like(x), x.new_ones(3, 1, 5)], 1),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    _check(lambda self, x: SHAPES[name](x), _x(3, 4, 5))


REDUCTIONS = {
    "amax": lambda x: x.amax(1) + x.amin(1),
    "logsumexp": lambda x: x.logsumexp((1, 2)),
    "max": lambda x: x.max(1).values + x.min(1)[0],
    "mean": lambda x: x.mean((1, 2), keepdim=True) + x.mean() + x.sum(-1, keepdim=True),
    "norm": lambda x: f.normalize(x, dim=-1) + x.norm(dim=1, keepdim=True) + torch.linalg.vector_norm(x, 1),
    "softmax": lambda x: x.softmax(1) + x.log_softmax(-1) + f.softmin(x, 2),
    "std": lambda x: x.std(1) + x.var((0, 1)) + x.var(1, correction=0),
    "var mean": lambda x: torch.var_mean(x, 1)[0] + torch.std_mean(x, 1)[1],
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_statistics(name):
    _check(lambda self, x: REDUCTIONS[name](x), _x(3, 4, 5))


PRODUCTS = {
    "activations": (lambda self, x: x @ x.mT, "matmul"),
    "addmm": (lambda self, x: torch.addmm(self.vector, x[0, :, :6], self.weight), "linear"),
    "baddbmm": (
        lambda self, x: torch.baddbmm(x.mT @ x, x.mT, x, beta=0.5, alpha=2),
        None,
    ),
    "bmm": (lambda self, x: torch.bmm(x, x.mT), "matmul"),
    "broadcast": (lambda self, x: torch.matmul(x[:1], x.mT) + x @ x[0].T, "matmul"),
    "einsum": (lambda self, x: torch.einsum("bij,bkj->bik", x, x), "matmul"),
    "einsum with dots": (lambda self, x: torch.einsum("...i,io", x[..., :6], self.weight), "linear"),
    "einsum with sums": (lambda self, x: torch.einsum("bij,io->bo", x[:, :, :6].mT, self.weight), "linear"),
    "einsum of one": (lambda self, x: torch.einsum("bij->jb", x), None),
    "kernel": (lambda self, x: x[..., :6] @ self.weight, "linear"),
    "kernel first": (lambda self, x: self.weight.T @ x[..., :6].mT, "linear"),
    "outer": (lambda self, x: torch.outer(x[0, 0], x[1, 1]), None),
    "vector": (lambda self, x: x[..., :4] @ self.vector + torch.mv(x[0, :, :4], self.vector)[0], "linear"),
    "vectors": (lambda self, x: torch.dot(x[0, 0], x[1, 1]), "matmul"),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name):
    function, op = PRODUCTS[name]
    graph = _check(function, _x(3, 4, 7))
    assert op is None or op in [node.op for node in graph]


RESIZED = {
    "bicubic": {"size": (5, 11), "mode": "bicubic"},
    "bicubic, smooth": {"size": (4, 5), "mode": "bicubic", "antialias": True},
    "bilinear": {"scale_factor": (1.5, 2), "mode": "bilinear"},
    "bilinear, corners": {"size": (12, 3), "mode": "bilinear", "align_corners": True},
    "bilinear, smooth": {"size": (4, 5), "mode": "bilinear", "antialias": True},
    "bilinear, scale": {"scale_factor": 1.3, "mode": "bilinear", "recompute_scale_factor": False},
    "nearest": {"size": (7, 16)},
    "nearest, exact": {"size": (7, 16), "mode": "nearest-exact"},
}


@pytest.mark.parametrize("name", RESIZED)
def test_resized_images(name):
    graph = _check(lambda self, x: f.interpolate(x, **RESIZED[name]), _x(2, 3, 9, 8))
    assert "matmul" in [node.op for node in graph]


def test_resized_sequences_and_volumes():
    _check(lambda self, x: f.interpolate(x, 7, mode="linear"), _x(2, 3, 4))
    _check(lambda self, x: f.interpolate(x, (3, 5, 2), mode="trilinear"), _x(2, 3, 4, 4, 4))
    _check(lambda self, x: f.interpolate(x, 3, mode="nearest"), _x(2, 3, 4))


def test_what_stays_of_its_size():
    graph = _check(lambda self, x: f.interpolate(x, (9, 8), mode="bilinear"), _x(2, 3, 9, 8))
    assert [node.op for node in graph] == ["input"]


POOLS = {
    "adaptive of several windows": lambda x: f.adaptive_avg_pool2d(x, (4, 8)),
    "adaptive that grows": lambda x: f.adaptive_avg_pool2d(x, 11),
    "adaptive 1d": lambda x: f.adaptive_avg_pool1d(x[:, :, 0], 3),
    "adaptive": lambda x: f.adaptive_avg_pool2d(x, (3, 2)),
    "adaptive max": lambda x: f.adaptive_max_pool2d(x, 1),
    "average": lambda x: f.avg_pool2d(x, 3, 2, padding=1),
    "average without padding": lambda x: f.avg_pool2d(
        x, 3, 2, padding=1, count_include_pad=False, ceil_mode=True
    ),
    "divisor": lambda x: f.avg_pool2d(x, 2, divisor_override=3),
    "max": lambda x: f.max_pool2d(x, (3, 2), 2, dilation=(1, 2), ceil_mode=True),
    "max 1d": lambda x: f.max_pool1d(x[:, :, 0], 2),
    "max with places": lambda x: f.max_pool2d(x, 2, return_indices=True)[0],
}


@pytest.mark.parametrize("name", POOLS)
def test_pools(name):
    _check(lambda self, x: POOLS[name](x), _x(2, 3, 9, 8))


CONVOLUTIONS = {
    "1d": (lambda: nn.Conv1d(4, 6, 3, 2, padding=2, groups=2), (2, 4, 9)),
    "3d": (lambda: nn.Conv3d(2, 3, 2, dilation=2, bias=False), (2, 2, 5, 5, 5)),
    "one example": (lambda: nn.Conv2d(3, 4, 3), (3, 6, 6)),
    "same": (lambda: nn.Conv2d(3, 4, (4, 3), padding="same", dilation=(1, 2)), (2, 3, 6, 6)),
    "transposed 1d": (
        lambda: nn.ConvTranspose1d(4, 6, 3, 3, padding=1, output_padding=2, groups=2),
        (2, 4, 5),
    ),
    "transposed 3d": (lambda: nn.ConvTranspose3d(2, 3, 2, dilation=2), (2, 2, 3, 3, 3)),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name):
    make, shape = CONVOLUTIONS[name]
    layer = make()
    torch.testing.assert_close(
        interpret(signal_graph(layer, (_x(*shape),)), layer, (_x(*shape),))[0], layer(_x(*shape))
    )


NORMS = {
    "batch without parameters": (lambda: nn.BatchNorm1d(4, affine=False), (3, 4)),
    "batch of sequences": (lambda: nn.BatchNorm1d(4), (3, 4, 5)),
    "layer": (lambda: nn.LayerNorm((4, 5)), (3, 4, 5)),
    "instance": (lambda: nn.InstanceNorm1d(4), (3, 4, 5)),
    "instance with statistics": (lambda: nn.InstanceNorm1d(4, track_running_stats=True), (3, 4, 5)),
    "group": (lambda: nn.GroupNorm(2, 4), (3, 4, 5)),
    "local response": (lambda: nn.LocalResponseNorm(2), (3, 4, 5)),
    "rms": (lambda: nn.RMSNorm(5), (3, 4, 5)),
}


@pytest.mark.parametrize("name", NORMS)
def test_norms(name):
    make, shape = NORMS[name]
    layer = make().eval()
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    found = interpret(signal_graph(layer, (_x(*shape),)), layer, (_x(*shape),))[0]
    torch.testing.assert_close(found, layer(_x(*shape)), rtol=1e-4, atol=1e-5)


LOSSES = {
    "cross entropy": (f.cross_entropy, torch.tensor([0, 3, 1])),
    "sum": (lambda x, y: f.cross_entropy(x, y, reduction="sum"), torch.tensor([0, 3, 1])),
    "mse": (f.mse_loss, torch.ones(3, 4)),
    "logits": (f.binary_cross_entropy_with_logits, torch.ones(3, 4)),
    "binary": (lambda x, y: f.binary_cross_entropy(x.sigmoid(), y), torch.ones(3, 4)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name):
    loss, targets = LOSSES[name]
    graph = _check(lambda self, x, y: loss(x, y), _x(3, 4), targets)
    assert graph.nodes[-1].op == "loss"


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_cells(kind):
    cell = kind(5, 4)

    class Unrolled(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = cell

        def forward(self, x):
            state = None
            for step in x.unbind(1):
                state = self.cell(step, state)
            return state[0] if isinstance(state, tuple) else state

    torch.testing.assert_close(
        interpret(signal_graph(Unrolled(), (_x(2, 3, 5),)), Unrolled(), (_x(2, 3, 5),))[0],
        Unrolled()(_x(2, 3, 5)),
    )


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_initial_states(kind):
    class Started(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = kind(5, 4, batch_first=True, bidirectional=True)

        def forward(self, x, state):
            states = (state, state.cos()) if kind is nn.LSTM else state
            return self.rnn(x, states)[0]

    model, inputs = Started(), (_x(2, 3, 5), _x(2, 2, 4))
    torch.testing.assert_close(interpret(signal_graph(model, inputs), model, inputs)[0], model(*inputs))


ATTENTION = {
    "plain": lambda x: f.scaled_dot_product_attention(x, x.cos(), x.sin()),
    "causal": lambda x: f.scaled_dot_product_attention(x, x.cos(), x.sin(), is_causal=True, scale=0.3),
    "without heads": lambda x: f.scaled_dot_product_attention(x[0], x[0], x[0], is_causal=True),
    "biased": lambda x: f.scaled_dot_product_attention(x, x, x, attn_mask=x @ x.mT),
    "masked": lambda x: f.scaled_dot_product_attention(x, x, x, attn_mask=torch.eye(4).bool()),
    "groups": lambda x: f.scaled_dot_product_attention(x, x[:, :1], x[:, :1], enable_gqa=True),
}


@pytest.mark.parametrize("name", ATTENTION)
def test_attention(name):
    _check(lambda self, x: ATTENTION[name](x), _x(2, 2, 4, 6))


def test_tables():
    _check(lambda self, ids: f.embedding(ids, self.weight, padding_idx=2), torch.tensor([[0, 5], [1, 4]]))
    _check(lambda self, x: x + self.weight[torch.tensor([0, 2, 1])], _x(3, 4))


def test_rows_and_columns_of_weights():
    """As biases of relative places: (heads, differences), read for each pair of places."""
    places = torch.tensor([[0, 1, 3], [2, 0, 1]])
    _check(lambda self, x: x + self.weight[:, places], _x(6, 2, 3))
    _check(lambda self, x: x + self.weight[places], _x(2, 3, 4))
    _check(lambda self, x: x + self.weight.reshape(2, 3, 4)[:, places % 3], _x(2, 2, 3, 4))


def _check(function, *inputs):
    torch.manual_seed(0)
    model = Called(function).eval()
    graph = signal_graph(model, inputs)
    (found,) = interpret(graph, model, inputs)
    with torch.no_grad():
        torch.testing.assert_close(found, model(*inputs), rtol=1e-4, atol=1e-5, equal_nan=True)
    return graph
