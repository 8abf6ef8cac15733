import jax
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fanin.frameworks.jax.many import Layout, Many, layout


@given(st.integers(1, 5000), st.integers(1, 1 << 32), st.integers(1, 8))
def test_a_layout_holds_at_least_one_run_and_pads_less_than_a_block(runs, state_bytes, devices):
    plan = layout(runs, state_bytes=state_bytes, devices=devices)
    assert plan.chunk >= 1
    assert 1 <= plan.devices <= min(devices, runs)
    blocks = -(-runs // plan.block)
    assert 0 <= blocks * plan.block - runs < plan.block


def test_large_states_are_not_vectorized_widely_on_a_cpu():
    assert layout(100, state_bytes=1 << 30).chunk == 1
    assert layout(100, state_bytes=1 << 10).chunk > 4


def test_every_run_gets_its_own_inputs_and_the_shared_ones():
    plan = Layout(chunk=3, devices=jax.local_device_count())
    many = Many(lambda own, shared: {"y": own["x"] * shared["k"]}, plan)
    own = {"x": np.arange(plan.block * 2, dtype=np.float32).reshape(plan.block, 2)}
    shared = {"k": np.float32(3)}
    many.compile(own, shared)()
    result = many(many.place(own), many.share(shared))
    np.testing.assert_array_equal(result["y"], own["x"] * 3)
