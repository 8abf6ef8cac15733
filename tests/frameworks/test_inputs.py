import jax
import numpy as np
import pytest
import torch

from fanin import FaninError, Inputs
from fanin.frameworks.given import as_given


def test_an_input_says_what_it_is():
    assert str(Inputs((8, 20), 1.0, 4.0, example=0.5)) == "8 × 20, N(1, 4), correlation of examples 0.5"
    assert repr(Inputs((8, 20))) == "Inputs(shape=(8, 20))"
    assert repr(Inputs((8, 20), vocabulary=9)) == "Inputs(shape=(8, 20), tokens=True, vocabulary=9)"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("8x3x224x224", Inputs((8, 3, 224, 224))),
        (" 8x20 ", Inputs((8, 20))),
        ("8x128:tokens", Inputs((8, 128), tokens=True)),
        ("8x128:tokens(99)", Inputs((8, 128), vocabulary=99)),
        ("8x20:float16", Inputs((8, 20), dtype="float16")),
        ("8x20:int64", Inputs((8, 20), tokens=True, dtype="int64")),
    ],
)
def test_a_text_is_read(text, wanted):
    assert Inputs.parse(text) == wanted


@pytest.mark.parametrize("text", ["", "8y3", "8x", "8x3:words", "8x3:tokens(a)", "8x3:float32(4)", "x8"])
def test_a_text_that_describes_no_input_is_refused(text):
    with pytest.raises(FaninError, match="describes no input") as caught:
        Inputs.parse(text)
    assert '"8x3x224x224"' in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"shape": ()}, "The shape of an input is ()"),
        ({"shape": (8, 0)}, "0 is no size of an axis"),
        ({"shape": (8, 2.5)}, "2.5 is no size"),
        ({"shape": (8, True)}, "True is no size"),
        ({"shape": (8, 2), "variance": -1.0}, "mean 0.0 and variance -1.0"),
        ({"shape": (8, 2), "mean": float("nan")}, "mean nan"),
        ({"shape": (8, 2), "example": 1.5}, "example is 1.5"),
        ({"shape": (8, 2), "position": -0.5}, "position is -0.5"),
        ({"shape": (8, 2), "vocabulary": 0}, "vocabulary is 0"),
        ({"shape": (8, 2), "channel": 2}, "channel is 2"),
    ],
)
def test_impossible_inputs_are_refused(fields, words):
    with pytest.raises(FaninError) as caught:
        Inputs(**fields)
    assert words in str(caught.value)


def test_correlations_are_those_of_deviations():
    law = Inputs((8, 5, 4), mean=1.0, variance=3.0, example=0.5, position=0.25).law(-1)
    assert (law.mean, law.second_moment) == (1.0, 4.0)
    assert law.example == pytest.approx((0.5 * 3 + 1) / 4)
    assert law.position == pytest.approx((0.25 * 3 + 1) / 4)
    assert Inputs((8, 5), variance=0.0).law(-1).second_moment == 0.0


def test_data_tell_what_they_are():
    random = np.random.default_rng(0)
    shared = random.normal(size=(1, 400, 6))
    found = Inputs.of(2 + shared + random.normal(size=(32, 400, 6)))
    law = found.law(-1)
    assert law.mean == pytest.approx(2, abs=0.05)
    assert law.second_moment == pytest.approx(6, rel=0.03)
    assert (6 * law.example - 4) / 2 == pytest.approx(0.5, abs=0.02)
    assert (6 * law.position - 4) / 2 == pytest.approx(0, abs=0.02)
    assert str(found) == "32 × 400 × 6, data of mean and variance 1.97, 2"


def test_channels_are_where_the_input_or_the_framework_has_them():
    random = np.random.default_rng(0)
    data = random.normal(size=(16, 3, 1, 1)) + np.zeros((16, 3, 9, 9))  # the same at all positions
    assert Inputs.of(data).law(1).position == pytest.approx(1)
    assert Inputs.of(data).law(-1).position == pytest.approx(0.47, abs=0.1)
    assert Inputs.of(data, channel=1).law(-1).position == pytest.approx(1)


def test_tokens_repeat_as_often_as_told_or_seen():
    assert Inputs((8, 4), vocabulary=50).law(-1).repeats == 1 / 50
    assert Inputs((8, 4), tokens=True).law(-1).repeats is None
    assert Inputs((8, 4), tokens=True, repeats=0.25).law(-1).repeats == 0.25
    assert Inputs.of(np.array([[1, 1], [2, 3]])).law(-1).repeats == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3)),
        torch.zeros(2, 3),
        torch.zeros(2, 3, dtype=torch.bfloat16),
        jax.numpy.zeros((2, 3)),
    ],
)
def test_arrays_of_all_frameworks_are_read(array):
    found = Inputs.of(array)
    assert (found.shape, found.tokens, found.variance) == ((2, 3), False, 0.0)
    assert found.values.shape == (2, 3)


@pytest.mark.parametrize("thing", [torch.zeros(2, 3, device="meta"), jax.ShapeDtypeStruct((2, 3), "float32")])
def test_what_holds_no_values_is_a_description(thing):
    assert Inputs.of(thing) == Inputs((2, 3))
    assert Inputs.of(thing).data is None


def test_whole_numbers_are_tokens():
    assert Inputs.of(torch.zeros(2, 3, dtype=torch.int64)).tokens
    assert Inputs.of(np.zeros((2, 3), bool)).dtype == "bool"


def test_all_that_describes_inputs_is_taken():
    one = Inputs((8, 20))
    assert list(as_given(one)) == list(as_given((8, 20))) == list(as_given("8x20")) == [one]
    assert list(as_given([8, 20])) == [one]
    assert list(as_given("8x20,8x4")) == [one, Inputs((8, 4))]
    assert list(as_given((one, "8x4", (8, 5)))) == [one, Inputs((8, 4)), Inputs((8, 5))]
    named = as_given({"x": "8x20", "ids": "8x4:tokens"})
    assert named.named["ids"].tokens
    assert str(named) == "x: 8 × 20, N(0, 1); ids: 8 × 4 tokens"
    assert named.examples == 8


@pytest.mark.parametrize("nothing", [None, (), [], {}, ""])
def test_no_input_is_refused(nothing):
    with pytest.raises(FaninError, match="There is no input"):
        as_given(nothing)


@pytest.mark.parametrize("wrong", [3.5, ("8x20", None), {"x": object()}])
def test_what_describes_no_input_is_refused(wrong):
    with pytest.raises(FaninError, match="describes no input"):
        as_given(wrong)
