import jax
import jax.numpy as jnp
import numpy as np

from fanin.frameworks.jax.rewriting import rewritten


def doubling(equation, x):
    return 2 * equation.primitive.bind(x, **equation.params)


def test_rules_reach_into_calls_and_nested_results_keep_their_structure():
    function = jax.jit(lambda tree: {"a": jax.jit(jnp.sin)(tree["x"]), "b": [tree["y"], jnp.cos(tree["y"])]})
    tree = {"x": jnp.float32(1.0), "y": jnp.float32(2.0)}
    found = rewritten(function, {"sin": doubling})(tree)
    expected = function(tree)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    np.testing.assert_allclose(found["a"], 2 * expected["a"])
    np.testing.assert_allclose(found["b"], expected["b"])


def test_a_rule_may_leave_an_equation_as_it_is():
    found = rewritten(jnp.sin, {"sin": lambda equation, x: None})(1.0)
    assert found == jnp.sin(1.0)


def test_loops_are_left_as_they_are():
    def looped(x):
        return jax.lax.fori_loop(0, 2, lambda _, y: jnp.sin(y), x)

    assert rewritten(looped, {"sin": doubling})(1.0) == looped(1.0)
