"""Linen modules as graphs: the graph, interpreted, computes what the module computes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from fanin.errors import FaninError
from fanin.frameworks.jax.graph import signal_graph
from fanin.frameworks.jax.linen.values import leaves
from fanin.theory.recognition import recognize
from interpreter import interpret


def image(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def ids(*shape):
    return np.random.default_rng(0).integers(0, 11, shape).astype(np.int32)


def variables_of(module, x):
    """Return random variables, none of them all 0 or 1, so that each shows in the output."""
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(module.init, jax.random.key(0), x)

    def draw(description):
        values = rng.standard_normal(description.shape)
        return (0.3 * values if values.ndim > 1 else np.abs(values)).astype(description.dtype)

    return jax.tree.map(draw, shapes)


def weights_of(variables):
    return {name if kind == "params" else f"{kind}.{name}": value for kind, name, value in leaves(variables)}


class Mlp(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Dense(16)(x))
        x = nn.tanh(nn.Dense(16, use_bias=False)(x))
        return nn.Dense(3)(nn.LayerNorm()(x))


class Activations(nn.Module):
    @nn.compact
    def __call__(self, x):
        exact = lambda x: nn.gelu(x, approximate=False)  # noqa: E731
        first = (
            nn.gelu,
            exact,
            nn.silu,
            nn.softplus,
            nn.elu,
            nn.selu,
            nn.relu6,
            nn.leaky_relu,
            nn.hard_swish,
        )
        second = (nn.hard_tanh, nn.sigmoid, nn.soft_sign, jax.nn.mish, nn.log_sigmoid, jax.nn.celu)
        for f in (*first, *second, jax.nn.squareplus, nn.hard_sigmoid, jnp.sin, nn.PReLU()):
            x = nn.Dense(8)(f(x))
        return nn.glu(x)


class Cnn(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(8, (3, 3), strides=2)(x))
        x = nn.Conv(8, (3, 3), feature_group_count=4, kernel_dilation=2, padding="VALID")(x)
        x = nn.max_pool(nn.relu(x), (2, 2), strides=(1, 1), padding="SAME")
        x = nn.ConvTranspose(6, (3, 3), strides=(2, 2))(x)
        x = nn.avg_pool(x, (3, 3), strides=(2, 2), padding="SAME", count_include_pad=False)
        x = nn.avg_pool(x, (2, 2), strides=(1, 1), padding="SAME")
        x = jnp.concatenate([x, x[..., ::2]], -1)
        return nn.Dense(4)(x.reshape(len(x), -1))


class Block(nn.Module):
    features: int
    stride: int = 1

    @nn.compact
    def __call__(self, x, train: bool):
        norm = lambda: nn.BatchNorm(use_running_average=not train)  # noqa: E731
        y = nn.relu(norm()(nn.Conv(self.features, (3, 3), self.stride, use_bias=False)(x)))
        y = norm()(nn.Conv(self.features, (3, 3), use_bias=False)(y))
        if x.shape != y.shape:
            x = norm()(nn.Conv(self.features, (1, 1), self.stride, use_bias=False)(x))
        return nn.relu(x + y)


class ResNet(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool = True):
        x = nn.max_pool(nn.Conv(8, (5, 5), 2)(x), (3, 3), (2, 2), padding=((1, 1), (1, 1)))
        for features, stride in ((8, 1), (16, 2)):
            x = Block(features, stride)(x, train)
        return nn.Dense(5)(x.mean((1, 2)))


class Norms(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.GroupNorm(num_groups=2)(x)
        x = nn.RMSNorm()(x)
        x = nn.InstanceNorm()(x)
        x = nn.LayerNorm(use_fast_variance=False, use_bias=False)(x)
        x = nn.LayerNorm(reduction_axes=(1, 2, 3), feature_axes=(3,))(x)
        x = nn.WeightNorm(nn.Dense(6))(x)
        return x / jnp.sqrt(jnp.mean(x**2, -1, keepdims=True) + 1e-6)


class EncoderBlock(nn.Module):
    pre: bool

    @nn.compact
    def __call__(self, x):
        attend = nn.MultiHeadDotProductAttention(num_heads=4, dropout_rate=0.1, deterministic=True)
        feed = nn.Sequential([nn.Dense(32), nn.gelu, nn.Dense(16)])
        if self.pre:
            x = x + attend(nn.LayerNorm()(x))
            return x + feed(nn.LayerNorm()(x))
        x = nn.LayerNorm()(x + attend(x))
        return nn.LayerNorm()(x + feed(x))


class Encoder(nn.Module):
    pre: bool = True

    @nn.compact
    def __call__(self, x):
        for _ in range(2):
            x = EncoderBlock(self.pre)(x)
        return x[:, 0]


class Gpt(nn.Module):
    @nn.compact
    def __call__(self, tokens):
        embed = nn.Embed(11, 16)
        x = embed(tokens) + self.param("positions", nn.initializers.normal(0.02), (8, 16))[: tokens.shape[1]]
        mask = nn.make_causal_mask(tokens)
        for _ in range(2):
            x = x + nn.SelfAttention(num_heads=2)(nn.LayerNorm()(x), mask=mask)
            x = x + nn.Dense(16)(nn.gelu(nn.Dense(32)(nn.LayerNorm()(x))))
        return embed.attend(nn.LayerNorm()(x))


class Padded(nn.Module):
    @nn.compact
    def __call__(self, tokens):
        mask = nn.make_attention_mask(tokens > 3, tokens > 3)
        x = nn.Embed(11, 16)(tokens)
        return nn.SelfAttention(num_heads=2)(x, mask=nn.combine_masks(mask, nn.make_causal_mask(tokens)))


class Llama(nn.Module):
    """Rotary positions, grouped queries, SwiGLU."""

    repeat: bool = True

    @nn.compact
    def __call__(self, tokens):
        x = nn.Embed(11, 16)(tokens)
        x = x + self.attend(nn.RMSNorm()(x))
        h = nn.RMSNorm()(x)
        x = x + nn.Dense(16, use_bias=False)(
            nn.silu(nn.Dense(24, use_bias=False)(h)) * nn.Dense(24, use_bias=False)(h)
        )
        return nn.Dense(11, use_bias=False)(nn.RMSNorm()(x))

    def attend(self, x):
        time = x.shape[1]
        q = self.rotated(nn.DenseGeneral((4, 4), use_bias=False)(x))
        k = self.rotated(nn.DenseGeneral((2, 4), use_bias=False)(x))
        v = nn.DenseGeneral((2, 4), use_bias=False)(x)
        causal = jnp.tril(jnp.ones((time, time), bool))
        if self.repeat:
            k, v = jnp.repeat(k, 2, axis=2), jnp.repeat(v, 2, axis=2)
            scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / jnp.sqrt(4)
            scores = jnp.where(causal, scores, -jnp.inf)
            out = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores), v)
        else:
            grouped = q.reshape(*q.shape[:2], 2, 2, 4)
            scores = jnp.einsum("bqkgd,bskd->bkgqs", grouped, k) * 0.5
            scores = scores + jnp.where(causal, 0, -1e9)
            out = jnp.einsum("bkgqs,bskd->bqkgd", jax.nn.softmax(scores), v)
        return nn.Dense(16, use_bias=False)(out.reshape(x.shape))

    def rotated(self, x):
        angles = jnp.outer(jnp.arange(x.shape[1]), 1e4 ** (-jnp.arange(0, 4, 2) / 4))
        cos, sin = (jnp.concatenate([f(angles)] * 2, -1)[None, :, None] for f in (jnp.cos, jnp.sin))
        one, other = jnp.split(x, 2, axis=-1)
        return x * cos + jnp.concatenate([-other, one], -1) * sin


class Library(nn.Module):
    """What jax.nn computes of attention."""

    @nn.compact
    def __call__(self, x):
        q, k, v = (nn.DenseGeneral((heads, 4))(x) for heads in (4, 2, 2))
        return jax.nn.dot_product_attention(q, k, v, is_causal=True)


class Recurrent(nn.Module):
    cell: type

    @nn.compact
    def __call__(self, x):
        x = nn.RNN(self.cell(8))(x)
        x = nn.RNN(self.cell(8), reverse=True, keep_order=True)(x)
        return nn.Dense(2)(x[:, -1])


class Layer(nn.Module):
    @nn.compact
    def __call__(self, x, _):
        return x + nn.Dense(8)(nn.relu(nn.LayerNorm()(x))), None


class Stacked(nn.Module):
    @nn.compact
    def __call__(self, x):
        layers = nn.scan(Layer, variable_axes={"params": 0}, split_rngs={"params": True}, length=3)
        return layers()(x, None)[0]


class Odds(nn.Module):
    """Pads, stacks, slices, gathers at fixed places, updates."""

    @nn.compact
    def __call__(self, x):
        x = jnp.pad(nn.Dense(6)(x), ((0, 0), (1, 0), (0, 0)))
        x = jnp.stack([x[:, 0], x[:, -1], x[:, 1]], 1)[:, ::-1]
        x = x.at[:, 1].set(2.0) + x[:, jnp.array([2, 0, 1])]
        x = jnp.roll(x, 1, axis=1).swapaxes(1, 2)
        x = jax.lax.fori_loop(0, 3, lambda i, x: x * 0.5 + i, x)
        y = jnp.where(x > 0, jnp.sqrt(jnp.abs(x)), jnp.log1p(jnp.exp(x))) ** 3
        return jnp.clip(y.max(1) - y.min(1) + y.var(1) + y.std(2).sum(1, keepdims=True), -2.5, 40)


MODELS = {
    "mlp": (Mlp(), image(4, 8)),
    "activations": (Activations(), image(4, 8)),
    "cnn": (Cnn(), image(2, 16, 16, 3)),
    "resnet": (ResNet(), image(4, 32, 32, 3)),
    "norms": (Norms(), image(3, 4, 4, 6)),
    "encoder, norms first": (Encoder(True), image(2, 5, 16)),
    "encoder, norms last": (Encoder(False), image(2, 5, 16)),
    "gpt": (Gpt(), ids(2, 6)),
    "padding masked": (Padded(), ids(2, 6)),
    "llama, keys repeated": (Llama(True), ids(2, 6)),
    "llama, queries grouped": (Llama(False), ids(2, 6)),
    "jax.nn attention": (Library(), image(2, 6, 8)),
    "lstm": (Recurrent(nn.OptimizedLSTMCell), image(2, 6, 4)),
    "gru": (Recurrent(nn.GRUCell), image(2, 6, 4)),
    "simple rnn": (Recurrent(nn.SimpleCell), image(2, 6, 4)),
    "scan over layers": (Stacked(), image(2, 8)),
    "remat": (nn.remat(Mlp)(), image(4, 8)),
    "odds": (Odds(), image(2, 4, 5)),
}


@pytest.mark.parametrize(("name", "train"), [*((name, False) for name in MODELS), ("resnet", True)])
def test_the_graph_computes_what_the_module_computes(name, train):
    module, x = MODELS[name]
    variables = variables_of(module, x)
    graph = signal_graph(module, x, params=variables, train=train)
    assert not [node for node in graph if node.op == "opaque"]
    keywords = {"train": train} if name == "resnet" else {}
    apply = jax.jit(lambda variables, x: module.apply(variables, x, mutable=True, **keywords)[0])
    expected = apply(variables, x)
    for found in (graph, recognize(graph)):
        (value,) = interpret(found, weights_of(variables), x)
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_names_are_those_of_the_plan():
    from fanin.frameworks.jax.linen.inventory import inventory

    x = image(4, 32, 32, 3)
    graph = signal_graph(ResNet(), x)
    found = inventory(ResNet(), inputs=[x])
    assert {w.name for w in graph.weights if w.trainable} == {p.name for p in found.parameters}
    assert {w.name for w in graph.weights if not w.trainable} == {k.name for k in found.kept}


def test_layers_are_modules_with_their_lines():
    graph = signal_graph(Gpt(), ids(2, 6))
    assert {"Embed_0", "SelfAttention_1.query", "SelfAttention_1", "Dense_3", "Embed_0#2"} <= set(
        graph.layers
    )
    node = graph[graph.layers["Dense_2"]]
    assert (node.source.layer, node.source.type) == ("Dense_2", "Dense")
    with open(node.source.file) as file:  # noqa: PTH123
        assert "nn.Dense(32)" in file.readlines()[node.source.line - 1]


def test_the_same_module_twice_has_an_entry_a_call():
    class Twice(nn.Module):
        @nn.compact
        def __call__(self, x):
            layer = nn.Dense(4, name="fc")
            return layer(nn.relu(layer(x)))

    graph = signal_graph(Twice(), image(2, 4))
    assert list(graph.layers) == ["fc", "fc#2"]


def test_what_only_hands_out_its_parameters_is_no_layer():
    from fanin.frameworks.jax.graph.linen import call_of
    from fanin.frameworks.jax.graph.tags import output_of
    from fanin.frameworks.jax.graph.trace import program

    module, x = Recurrent(nn.OptimizedLSTMCell), image(2, 6, 4)
    assert list(signal_graph(module, x).layers) == ["RNN_0", "RNN_1", "Dense_0"]
    marked = [output_of(equation) for equation in program(call_of(module, (x,), {})).jaxpr.eqns]
    assert [place.path for place in marked if place] == ["RNN_0", "RNN_1", "Dense_0", ""]


def test_dropout_is_an_op_in_training():
    class Dropped(nn.Module):
        @nn.compact
        def __call__(self, x, train: bool):
            x = nn.Dropout(0.25, deterministic=not train)(nn.Dense(4)(x))
            return nn.MultiHeadDotProductAttention(2, dropout_rate=0.5)(x, deterministic=not train)

    x = image(2, 3, 4)
    assert [n["rate"] for n in signal_graph(Dropped(), x, train=True) if n.op == "dropout"] == [0.25, 0.5]
    attention = [n for n in recognize(signal_graph(Dropped(), x, train=True)) if n.op == "attention"]
    assert [n["dropout"] for n in attention] == [0.5]
    assert not [n for n in signal_graph(Dropped(), x) if n.op in ("dropout", "opaque")]


def test_declared_laws_need_no_weights():
    class Wide(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.Dense(
                1 << 20, kernel_init=nn.initializers.he_normal(), bias_init=nn.initializers.uniform(2.0)
            )(x)
            return nn.Dense(1 << 20, kernel_init=nn.initializers.orthogonal(1.5))(x)

    weight = signal_graph(Wide(), jax.ShapeDtypeStruct((2, 64), "float32")).weight
    first, bias, last = (weight[name].law for name in ("Dense_0.kernel", "Dense_0.bias", "Dense_1.kernel"))
    assert (first.name, bias.name, last.name) == ("truncated normal", "uniform", "orthogonal")
    assert last.orthogonal
    assert first.variance == pytest.approx(2 / 64, rel=2e-5)
    assert (bias.mean, bias.variance) == (pytest.approx(1.0, rel=1e-5), pytest.approx(1 / 3, rel=2e-5))
    assert last.variance == pytest.approx(1.5**2 / 2**20, rel=2e-4)
    assert {weight.source for weight in weight.values()} == {"declared"}


def test_laws_of_arrays_are_those_of_their_values():
    variables = variables_of(Mlp(), image(4, 8))
    weight = signal_graph(Mlp(), image(4, 8), params=variables).weight["Dense_1.kernel"]
    values = variables["params"]["Dense_1"]["kernel"]
    assert weight.source == "tensor"
    assert weight.law.mean == pytest.approx(float(values.mean()), abs=1e-6)
    assert weight.law.variance == pytest.approx(float(values.var()), rel=1e-5)


def test_wrong_shapes_say_what_the_module_said():
    variables = Mlp().init(jax.random.key(0), image(4, 8))
    with pytest.raises(FaninError, match="Mlp cannot be traced") as error:
        signal_graph(Mlp(), image(4, 9), params=variables)
    assert "x (4, 9) float32" in str(error.value)


def test_control_flow_on_data_is_told():
    class Branching(nn.Module):
        @nn.compact
        def __call__(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(FaninError, match=r"cannot be traced|init fails") as error:
        signal_graph(Branching(), image(2, 3), params={"params": {}})
    assert "jax.lax.cond" in str(error.value)


def test_ids_that_are_no_integers_are_told():
    with pytest.raises(FaninError) as error:
        signal_graph(Gpt(), image(2, 6))
    assert "int32" in str(error.value)


def test_no_input_is_told():
    with pytest.raises(FaninError, match="without an example input"):
        signal_graph(Mlp(), None)
    with pytest.raises(FaninError, match="without an example input"):
        signal_graph(Mlp(), ())


def test_branches_and_loops_on_data_are_opaque_with_a_reason():
    class Loops(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = jax.lax.cond(x.sum() > 0, jnp.sin, jnp.cos, nn.Dense(3)(x))
            return jax.lax.while_loop(lambda x: x.sum() < 5, lambda x: x + 1, x)

    found = {n["operator"]: n["reason"] for n in signal_graph(Loops(), image(2, 3)) if n.op == "opaque"}
    assert found == {
        "cond": "which branch runs depends on the data",
        "while": "how often a while loop runs depends on the data",
    }


def test_laws_of_a_plan_take_the_place_of_the_initializers():
    import fanin
    from fanin.schemes.laws import laws_of

    x = image(2, 8)
    laws = laws_of(fanin.plan(Mlp(), "he_normal", inputs=x))
    weight = signal_graph(Mlp(), x, laws=laws).weight["Dense_1.kernel"]
    assert (weight.source, weight.law.variance) == ("plan", pytest.approx(2 / 16))
