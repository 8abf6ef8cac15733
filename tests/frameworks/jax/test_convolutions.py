import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from fanin.frameworks.jax.convolutions import channels_last, convolves
from fanin.frameworks.jax.rewriting import rewritten

layers = keras.layers
LAYERS = {
    "1d": (lambda: layers.Conv1D(4, 3, dilation_rate=2), (9, 3)),
    "2d": (lambda: layers.Conv2D(4, (3, 2), strides=(2, 1), padding="same"), (9, 8, 3)),
    "3d": (lambda: layers.Conv3D(4, 2), (4, 5, 6, 3)),
    "groups": (lambda: layers.Conv2D(6, 3, groups=3), (7, 7, 3)),
    "depthwise": (lambda: layers.DepthwiseConv2D(3, depth_multiplier=2), (7, 7, 3)),
    "separable": (lambda: layers.SeparableConv2D(4, 3), (7, 7, 3)),
    "transposed": (lambda: layers.Conv2DTranspose(4, 3, strides=2), (5, 6, 3)),
    "channels_first": (lambda: layers.Conv2D(4, 3, data_format="channels_first"), (3, 7, 8)),
}


def last(function):
    return rewritten(function, {"conv_general_dilated": channels_last})


def gradient_of(make, shape):
    layer = make()
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, *shape)), jnp.float32)
    layer.build(x.shape)
    weights = [jnp.asarray(v.value) for v in layer.trainable_variables]

    def loss(weights, x):
        return jnp.sin(layer.stateless_call(weights, [], x)[0]).sum()

    return jax.value_and_grad(loss, (0, 1)), (weights, x)


def layouts(closed):
    for equation in closed.jaxpr.eqns:
        if equation.primitive.name == "conv_general_dilated":
            yield equation.params["dimension_numbers"]
        for inner in jax.tree.leaves(equation.params, is_leaf=lambda p: hasattr(p, "jaxpr")):
            if hasattr(inner, "jaxpr"):
                yield from layouts(inner)


@pytest.mark.parametrize("name", LAYERS)
def test_values_and_gradients_are_the_same_and_all_in_one_layout(name):
    function, arguments = gradient_of(*LAYERS[name])
    expected, found = function(*arguments), last(function)(*arguments)
    assert jax.tree.structure(expected) == jax.tree.structure(found)
    for one, other in zip(jax.tree.leaves(expected), jax.tree.leaves(found), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    seen = list(layouts(jax.make_jaxpr(last(function))(*arguments)))
    rank = arguments[1].ndim
    assert len(seen) >= 3  # forward, with respect to the kernel, and to the inputs
    assert {layout.lhs_spec for layout in seen} == {(0, rank - 1, *range(1, rank - 1))}
    assert {layout.rhs_spec for layout in seen} == {(rank - 1, rank - 2, *range(rank - 2))}
    assert {layout.out_spec for layout in seen} == {(0, rank - 1, *range(1, rank - 1))}


def test_it_can_be_vectorized():
    function, (weights, x) = gradient_of(*LAYERS["2d"])
    many = [jnp.stack([w, 2 * w]) for w in weights]
    _, (found, _) = jax.vmap(last(function), (0, None))(many, x)
    for place, scale in enumerate((1, 2)):
        _, (expected, _) = function([scale * w for w in weights], x)
        np.testing.assert_allclose(found[0][place], expected[0], rtol=1e-4, atol=1e-5)


def test_only_convolutions_count():
    function, arguments = gradient_of(*LAYERS["2d"])
    assert convolves(jax.make_jaxpr(function)(*arguments))
    assert convolves(jax.make_jaxpr(jax.jit(jax.jit(function)))(*arguments))
    assert not convolves(jax.make_jaxpr(lambda x: jnp.tanh(x @ x))(jnp.eye(2)))
