"""What functions do with their parameters."""

import jax
import jax.numpy as jnp
import pytest

import fanin
from fanin.frameworks.jax.graph.inventory import inventory
from fanin.graph.fans import fans


def described(*shape):
    return jax.ShapeDtypeStruct(shape, "float32")


def known(function, params, *inputs):
    found = inventory(fanin.trace(function, inputs=inputs, params=params))
    return {one.name: one for one in found.parameters}


def test_a_network_with_a_table_a_norm_and_a_stack():
    def network(p, ids):
        x = p["table"][ids]
        x = jnp.einsum("bi,hij->bhj", x, p["heads"]).reshape(8, -1)
        x = x - x.mean(-1, keepdims=True)
        x = x / jnp.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * p["scale"] + p["offset"]
        x, _ = jax.lax.scan(lambda h, w: (jax.nn.relu(h @ w), None), x, p["stack"])
        return jax.nn.softmax(x @ p["head"].T + p["bias"])

    params = {
        "table": described(50, 16), "heads": described(4, 16, 8), "scale": described(32),
        "offset": described(32), "stack": described(3, 32, 32), "head": described(10, 32),
        "bias": described(10),
    }  # fmt: skip
    found = known(network, params, "8:tokens")
    assert {name: one.kind for name, one in found.items()} == {
        "table": "embedding", "heads": "kernel", "scale": "norm", "offset": "norm", "stack": "kernel",
        "head": "kernel", "bias": "bias",
    }  # fmt: skip
    assert found["heads"].axes == ("out", "in", "out")
    assert found["stack"].axes == ("expert", "in", "out")
    assert (found["head"].axes, found["head"].roles, found["head"].inputs) == (
        ("out", "in"),
        ("head",),
        "relu",
    )
    assert (found["bias"].roles, found["bias"].kernel) == (("head_bias",), found["head"])
    assert [fans(found[name]).fan_in for name in ("heads", "stack", "head")] == [16, 32, 32]


@pytest.mark.parametrize(("groups", "kernel", "fan_in"), [(1, (3, 3, 6, 12), 54), (6, (3, 3, 1, 12), 9)])
def test_convolutions(groups, kernel, fan_in):
    def network(p, x):
        numbers = ("NHWC", "HWIO", "NHWC")
        x = jax.lax.conv_general_dilated(x, p["k"], (2, 2), "SAME", None, None, numbers, groups)
        return jax.nn.relu(x + p["b"]).mean((1, 2)) @ p["w"]

    params = {"k": described(*kernel), "b": described(12), "w": described(12, 3)}
    found = known(network, params, (4, 8, 8, 6))
    assert (found["k"].axes, found["k"].groups) == (("tap", "tap", "in", "out"), groups)
    assert fans(found["k"]).fan_in == fan_in
    assert (found["k"].inputs, found["b"].kind, found["w"].roles) == ("data", "bias", ("head",))


def test_zeros_between_the_inputs_of_a_convolution():
    def network(w, x):
        return jax.lax.conv_transpose(x, w, (2, 2), "SAME")

    found = known(network, described(4, 4, 6, 12), (4, 8, 8, 6))["params"]
    assert fans(found).fan_in == 4 * 4 * 6 / 4


def test_what_is_read_otherwise_is_unknown():
    found = known(
        lambda p, x: x @ (p["v"] * p["mask"]), {"v": described(4, 3), "mask": described(4, 3)}, (2, 4)
    )
    assert [one.kind for one in found.values()] == ["unknown", "unknown"]
