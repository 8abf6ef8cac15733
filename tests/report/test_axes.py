"""Axes of charts along depth."""

from hypothesis import given
from hypothesis import strategies as st

from fanin.report.axes import decades, logarithmic

SCALES = st.floats(1e-45, 1e38)


@given(st.lists(SCALES, min_size=1, max_size=20))
def test_all_numbers_are_inside_of_a_decade_or_more(values):
    low, high = decades(values)
    assert high - low >= 1 - 1e-9
    made = logarithmic(low, high).to_dict()
    bottom, top = made["scale"]["domain"]
    assert all(bottom <= value <= top * (1 + 1e-12) for value in values)
    ticks = made["axis"]["values"]
    assert 1 <= len(ticks) <= 12
    assert all(bottom * (1 - 1e-12) <= tick <= top * (1 + 1e-12) for tick in ticks)


def test_what_has_no_logarithm_does_not_count():
    assert decades([None, 0.0]) == (-0.5, 0.5)
    assert decades([0.0, 1.0, None, 10.0]) == decades([1.0, 10.0])
