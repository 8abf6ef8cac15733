import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fanin.frameworks.keras.draws import Drawn, column
from fanin.graph.parameter import Parameter
from fanin.random.philox import key_of
from fanin.schemes.distributions import Normal, Orthogonal, Uniform
from fanin.schemes.draw import draw

KERNEL = Parameter("dense/kernel", (3, 4), "kernel", ("in", "out"))
FIXED = np.full((3, 4), 2.0, np.float32)
DRAWS = [Drawn(law, KERNEL, "float32") for law in (Normal(0.0, 1.0), Uniform(0.0, 1.0), Orthogonal())]
SAME_LAW = Drawn(Normal(0.0, 1.0), Parameter("other/kernel", (3, 4)), "float32")


def own(seed):
    return np.full((3, 4), seed, np.float32)


def alone(source, seed):
    if isinstance(source, Drawn):
        return draw(source.distribution, source.parameter, key_of(seed, source.parameter.name))
    return source if source is FIXED else source(seed)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([*DRAWS, SAME_LAW, FIXED, own]), st.integers(0, 4)), min_size=1, max_size=12
    )
)
def test_runs_that_are_drawn_together_have_the_values_of_each(runs):
    values = column([source for source, _ in runs], [seed for _, seed in runs])
    for value, (source, seed) in zip(values, runs, strict=True):
        np.testing.assert_array_equal(value, alone(source, seed))


def test_values_have_the_variables_type():
    drawn = Drawn(Normal(0.0, 1.0), KERNEL, "float16")
    values = column([drawn, drawn], [0, 1])
    assert values.dtype == np.float16
    np.testing.assert_array_equal(values[1], alone(drawn, 1).astype("float16"))


def test_what_all_runs_share_is_not_copied():
    assert column([FIXED] * 5, range(5)).strides[0] == 0
