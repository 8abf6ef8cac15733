import pytest

from fanin.errors import FaninError
from fanin.schemes.catalogue import ALIASES, CATALOGUE
from fanin.schemes.parse import get_scheme


@pytest.mark.parametrize("name", [*CATALOGUE, *ALIASES])
def test_every_name_and_alias_is_a_scheme(name):
    scheme = get_scheme(name)
    assert scheme.label == scheme.name == ALIASES.get(name, name)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("normal(0.1, 0.2)", {"mean": 0.1, "stddev": 0.2}),
        ("normal(0.1, stddev=0.2)", {"mean": 0.1, "stddev": 0.2}),
        ("uniform(-1, 1)", {"minval": -1.0, "maxval": 1.0}),
        ("uniform(minval=0.05)", {"minval": 0.05}),
        ("constant(-3)", {"value": -3.0}),
        ("orthogonal(gain=1e-3)", {"gain": 1e-3}),
        ("normal(stddev=0)", {"stddev": 0.0}),
        ("zeros()", {}),
    ],
)
def test_arguments_are_numbers_by_place_or_by_name(text, arguments):
    assert dict(get_scheme(text).arguments) == arguments


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("normal(stddev=-0.1)", "not negative"),
        ("truncated_normal(stddev=-1)", "not negative"),
        ("constant(1e999)", "a finite number"),
        ("constant(1e39)", "a finite number"),  # float32 has no such number
        ("uniform(1, 0)", "goes from 1 to 0"),
        ("uniform(minval=0.1)", "goes from 0.1 to 0.05"),
        ("normal(0.1, mean=0.2)", "does not take"),
        ("normal(mean=0.1, mean=0.2)", "cannot be read"),
        ("normal(**{'mean': 1})", "cannot be read"),
        ("normal(nan)", "cannot be read"),
        ("normal.stddev", "cannot be read"),
        ("zeros, ones", "cannot be read"),
        ("zeros\0", "cannot be read"),
    ],
)
def test_what_is_no_scheme_is_refused(text, words):
    with pytest.raises(FaninError) as error:
        get_scheme(text)
    assert words in str(error.value)


def test_an_unknown_name_says_where_all_are_listed():
    with pytest.raises(FaninError) as error:
        get_scheme("HeNorml")
    assert "HeNormal" in error.value.expected
    assert error.value.fix == "fanin schemes lists them all"
