"""Values take the place of leaves in their own dtype and sharding; names that mean nothing are refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from fanin.errors import FaninError
from fanin.frameworks.jax.tree import inventory, with_values


def spread(array):
    mesh = jax.make_mesh((2,), ("data",), devices=jax.devices()[:2])
    return jax.device_put(array, NamedSharding(mesh, PartitionSpec("data")))


TREE = {"layer": [{"w": jnp.ones((4, 2), jnp.bfloat16), "b": np.zeros(2)}], "step": jnp.arange(3), "f": len}


def test_a_plain_tree_is_unknown_but_for_its_names():
    found = inventory(TREE)
    assert [(p.name, p.kind, p.axes) for p in found.parameters] == [
        ("layer.0.b", "unknown", ()),
        ("layer.0.w", "unknown", ()),
    ]
    assert [(k.name, k.reason) for k in found.kept] == [
        ("f", "not an array"),
        ("step", "integers, not trained"),
    ]


def test_random_keys_are_kept():
    assert inventory({"key": jax.random.key(0)}).kept[0].reason == "a random key"


def test_a_value_is_cast_and_everything_else_is_the_same_object():
    new = with_values(TREE, {"layer.0.w": np.full((4, 2), 3.0)})
    assert new["layer"][0]["w"].dtype == jnp.bfloat16
    assert (new["layer"][0]["w"] == 3).all()
    assert new["step"] is TREE["step"]
    assert new["layer"][0]["b"] is TREE["layer"][0]["b"]


def test_a_value_is_sharded_as_the_leaf_was():
    old = {"w": spread(jnp.zeros((4, 2))), "b": jnp.zeros(2)}
    new = with_values(old, {"w": np.ones((4, 2)), "b": np.ones(2)})
    assert new["w"].sharding == old["w"].sharding
    assert len(new["w"].sharding.device_set) == 2
    assert not new["b"].committed
    abstract = {"w": jax.ShapeDtypeStruct((4, 2), "float16", sharding=old["w"].sharding)}
    assert with_values(abstract, {"w": np.ones((4, 2))})["w"].sharding == old["w"].sharding


def test_values_may_be_traced():
    old = {"w": spread(jnp.zeros((4, 2)))}

    @jax.jit
    def drawn(key):
        return with_values(old, {"w": jax.random.normal(key, (4, 2))})

    assert drawn(jax.random.key(0))["w"].sharding.is_equivalent_to(old["w"].sharding, 2)
    traced = jax.jit(with_values)({"w": old["w"]}, {"w": jnp.ones((4, 2))})
    assert (traced["w"] == 1).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [({"layer.0.v": 0}, "perhaps layer.0"), ({"layer.0.w": np.ones(3)}, "shape"), ({"f": 1}, "builtin")],
)
def test_wrong_values_are_refused(values, message):
    with pytest.raises(FaninError, match=message):
        with_values(TREE, values)
