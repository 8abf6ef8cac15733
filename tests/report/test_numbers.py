import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanin.report.numbers import (
    NONE,
    decimals_for,
    duration,
    fixed,
    interval,
    p_value,
    percent,
    plain,
    ranges,
    significant,
    tied,
)

FINITE = st.floats(-1e12, 1e12)
SHARE = st.floats(0, 1)


@given(FINITE.filter(lambda value: abs(value) > 1e-300), st.integers(2, 6))
def test_significant_reads_back_within_the_digits_shown(value, digits):
    assert float(significant(value, digits)) == pytest.approx(value, rel=0.51 * 10.0 ** (1 - digits), abs=0)


@given(FINITE, st.integers(0, 6), st.booleans())
def test_fixed_reads_back_within_the_decimals_shown(value, decimals, sign):
    text = fixed(value, decimals, sign=sign)
    error = 0.5 * 10.0**-decimals if abs(value) < 1e5 else 0.0051 * abs(value)
    assert abs(float(text) - value) <= error * (1 + 1e-9)
    assert text.startswith("+") == (sign and float(text) > 0)
    assert not text.startswith("-") or float(text) < 0, "no minus before a zero"


@given(st.lists(st.floats(1e-4, 1.0), min_size=1), st.lists(st.floats(0.1, 1e3), min_size=1))
def test_the_decimals_resolve_the_median_spread(spreads, values):
    decimals = decimals_for(spreads, values)
    median = sorted(spreads)[len(spreads) // 2]
    assert 0 <= decimals <= 6
    assert 10.0**-decimals <= median / 10 * (1 + 1e-9) or decimals == 6
    assert 10.0 ** -(decimals - 1) > median / 10 * (1 - 1e-9) or decimals == 0, "and no more than needed"


@given(st.none() | st.just(math.nan) | st.just(math.inf))
def test_what_is_no_number_is_a_dash(value):
    assert {significant(value), fixed(value, 3, sign=True), p_value(value), percent(value)} == {NONE}
    assert interval(None, 3) == NONE


@given(SHARE)
def test_a_p_value_is_never_zero(p):
    text = p_value(p)
    if p < 0.001:
        assert text == "<.001"
    else:
        assert float(text) == pytest.approx(p, abs=0.0005 + 1e-12)


@given(SHARE)
def test_only_all_is_a_hundred_per_cent(share):
    text = percent(share)
    assert (text == "100 %") == (share == 1)
    assert (text == "0 %") == (share == 0)
    number = float(text.removesuffix(" %").removeprefix(">"))
    assert number == pytest.approx(100 * share, rel=0.051)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.049, "0.049 s"), (12.34, "12.3 s"), (60, "1 min 0 s"), (3599.6, "1 h 0 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@given(st.sets(st.integers(0, 300), min_size=1))
def test_ranges_read_back_as_the_same_numbers(numbers):
    found = []
    for part in ranges(numbers).split(", "):
        first, _, last = part.partition("–")
        found += range(int(first), int(last or first) + 1)
    assert found == sorted(numbers)


@given(st.text())
def test_plain_strings_cannot_move_the_cursor(text):
    shown = plain(text)
    assert shown.isprintable()
    assert len(shown) == len(text)
    assert text.isprintable() == (shown == text)


@given(st.text(alphabet="ab <=%±.5", max_size=40))
def test_tying_changes_spaces_alone(text):
    assert tied(text).replace("\N{NO-BREAK SPACE}", " ") == text
    assert not any(sign in word[:1] for word in tied(text).split(" ")[1:] for sign in "%<=±" if word)
